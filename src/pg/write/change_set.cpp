#include "pg/write/change_set.h"

#include <string>

#include "kvs/codec/item.h"
#include "kvs/util/quote.h"
#include "pg/read/view_diff.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"

extern "C" {
#include "utils/datetime.h"
#include "utils/json.h"
}

namespace kvs::pg {

namespace {

// Builds a jsonb object from its beginning to its end. Methods are guarded; bytes are copied.
class ObjectBuilder {
  public:
    ObjectBuilder() { Push(WJB_BEGIN_OBJECT, nullptr); }

    void Key(const char* name) {
        Guarded([&] {
            JsonbValue key = StringValue(name);
            pushJsonbValue(&state_, WJB_KEY, &key);
        });
    }

    void String(const char* name, std::string_view text) {
        Key(name);
        Guarded([&] {
            JsonbValue value = StringValue(Copy(text));
            pushJsonbValue(&state_, WJB_VALUE, &value);
        });
    }

    void Bool(const char* name, bool value) {
        Key(name);
        JsonbValue boolean;
        boolean.type = jbvBool;
        boolean.val.boolean = value;
        Push(WJB_VALUE, &boolean);
    }

    void Integer(const char* name, uint64_t number) {
        Key(name);
        Guarded([&] {
            JsonbValue value;
            value.type = jbvNumeric;
            value.val.numeric = int64_to_numeric(static_cast<int64>(number));
            pushJsonbValue(&state_, WJB_VALUE, &value);
        });
    }

    // `payload`: the contents of a jsonb.
    void Document(const char* name, std::string_view payload) {
        Key(name);
        Guarded([&] {
            Jsonb* document = DatumGetJsonbP(MakeVarlena(payload));
            JsonbValue value;
            if (!JB_ROOT_IS_SCALAR(document) || !JsonbExtractScalar(&document->root, &value)) {
                JsonbToJsonbValue(document, &value);
            }
            pushJsonbValue(&state_, WJB_VALUE, &value);
        });
    }

    void BeginArray(const char* name) {
        Key(name);
        Push(WJB_BEGIN_ARRAY, nullptr);
    }
    void StringElement(std::string_view text) {
        Guarded([&] {
            JsonbValue value = StringValue(Copy(text));
            pushJsonbValue(&state_, WJB_ELEM, &value);
        });
    }
    void BeginElement() { Push(WJB_BEGIN_OBJECT, nullptr); }
    void EndElement() { Push(WJB_END_OBJECT, nullptr); }
    void EndArray() { Push(WJB_END_ARRAY, nullptr); }

    Datum Finish() {
        return Guarded([&] {
            return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state_, WJB_END_OBJECT, nullptr)));
        });
    }

  private:
    void Push(JsonbIteratorToken token, JsonbValue* value) {
        Guarded([&] { pushJsonbValue(&state_, token, value); });
    }

    static JsonbValue StringValue(std::string_view text) {
        JsonbValue value;
        value.type = jbvString;
        value.val.string.val = const_cast<char*>(text.data());
        value.val.string.len = static_cast<int>(text.size());
        return value;
    }

    static std::string_view Copy(std::string_view text) {
        char* copy = static_cast<char*>(palloc(text.size() + 1));
        memcpy(copy, text.data(), text.size());
        return {copy, text.size()};
    }

    JsonbParseState* state_ = nullptr;
};

void AddDescription(const HookedCommit& hooked, const Pattern& pattern, ObjectBuilder* object) {
    const Commit& commit = *hooked.commit;
    object->String("branch", hooked.branch);
    object->String("commit", hooked.hash.ToHex());
    if (!commit.parents.empty()) {
        object->String("parent", commit.parents[0].ToHex());
    }
    object->BeginArray("parents");
    for (const Hash& parent : commit.parents) {
        object->StringElement(parent.ToHex());
    }
    object->EndArray();
    object->String("root", commit.data_root.ToHex());
    object->String("author", commit.author);
    object->String("message", commit.message);
    char moment[MAXDATELEN + 1];
    Guarded([&] {
        JsonEncodeDateTime(moment, TimestampTzGetDatum(ToServerTime(commit.committed_at)), TIMESTAMPTZOID,
                           nullptr);
    });
    object->String("committed_at", moment);
    object->String("pattern", pattern.text());
}

ViewDiff OpenChanges(const HookedCommit& hooked, const Pattern& pattern) {
    Snapshot snapshot = GetActiveSnapshot();
    return ViewDiff(FirstParentView(*hooked.commit, snapshot), CommitView(*hooked.commit, snapshot),
                    &pattern);
}

// Adds the change that `diff` stands on; returns the bytes of its documents.
size_t AddChange(ViewDiff* diff, ObjectBuilder* object) {
    struct Side {
        const DataItem* item;
        std::string_view meta;
        const char* value;
        const char* version;
    };
    size_t bytes = 0;
    std::string blob;
    object->BeginElement();
    object->String("key", diff->key());
    object->String("diff_type", DiffTypeName(diff->type()));
    for (const Side& side : {Side{diff->from_item(), diff->from_meta(), "from_value", "from_version"},
                             Side{diff->to_item(), diff->to_meta(), "to_value", "to_version"}}) {
        if (side.item == nullptr) {
            continue;
        }
        object->Integer(side.version, DecodeMetadataHeader(side.meta).OrThrow().version);
        const bool is_document = side.item->type == ValueType::kJson;
        bytes += side.item->PayloadSize() * (is_document ? 1 : 2);
        if (bytes > kMaxChangeSetBytes) {
            break;
        }
        const std::string_view payload = diff->LoadPayload(*side.item, &blob);
        if (is_document) {
            object->Document(side.value, payload);
        } else {
            object->String(side.value, BytesText(payload));
        }
    }
    object->EndElement();
    return bytes;
}

// False if there are too many.
bool AddChanges(const HookedCommit& hooked, const Pattern& pattern, ObjectBuilder* object) {
    ViewDiff diff = OpenChanges(hooked, pattern);
    object->BeginArray("changes");
    size_t bytes = 0;
    for (int count = 0; diff.Next(); count++) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        if (count == settings.hook_max_changes) {
            return false;
        }
        bytes += AddChange(&diff, object);
        if (bytes > kMaxChangeSetBytes) {
            return false;
        }
    }
    object->EndArray();
    return true;
}

}  // namespace

bool ChangesMatching(const HookedCommit& hooked, const Pattern& pattern) {
    return pattern.MatchesEverything() || OpenChanges(hooked, pattern).Next();
}

Datum CommitDescription(const HookedCommit& hooked, const Pattern& pattern) {
    ObjectBuilder object;
    AddDescription(hooked, pattern, &object);
    return object.Finish();
}

Datum ChangeSet(const HookedCommit& hooked, const Pattern& pattern) {
    ObjectBuilder whole;
    AddDescription(hooked, pattern, &whole);
    whole.Bool("truncated", false);
    if (AddChanges(hooked, pattern, &whole)) {
        return whole.Finish();
    }
    ObjectBuilder truncated;
    AddDescription(hooked, pattern, &truncated);
    truncated.Bool("truncated", true);
    return truncated.Finish();
}

}  // namespace kvs::pg
