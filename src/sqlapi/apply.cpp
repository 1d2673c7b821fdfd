// kvs.apply: many operations in one call, each with an answer of its own.
#include <array>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvs/error.h"
#include "kvs/json/json.h"
#include "kvs/util/quote.h"
#include "pg/read/read_view.h"
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"
#include "pg/wall/jsonb_json.h"
#include "pg/write/document_change.h"
#include "pg/write/write_arguments.h"
#include "pg/write/write_batch.h"

extern "C" {
#include "utils/builtins.h"
}

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr size_t kMostOperations = 10000;

// What an operation is called, what it may do, and which members it has beside op and key.
struct OperationKind {
    std::string_view name;
    AclMode mode;
    WriteKind kind;
    Operation operation;
    std::string_view required;  // member; empty: none
    std::string_view optional;  // members, separated by spaces
};

constexpr std::string_view kPutMembers = "expected_version ttl tags comment modified_by schema_hash";
constexpr std::string_view kPatchMembers = "expected_version comment modified_by";

constexpr std::array<OperationKind, 9> kKinds = {{
    // Of a key that is reserved, too; it is never logged.
    {"get", ACL_SELECT, WriteKind::kPatch, Operation::kRestore, "", ""},
    {"put", ACL_INSERT | ACL_UPDATE, WriteKind::kPut, Operation::kSet, "value", kPutMembers},
    {"put_bytes", ACL_INSERT | ACL_UPDATE, WriteKind::kPut, Operation::kSet, "bytes", kPutMembers},
    {"cas", ACL_SELECT | ACL_INSERT | ACL_UPDATE, WriteKind::kCas, Operation::kSet, "value",
     "expected_version"},
    {"patch", ACL_SELECT | ACL_INSERT | ACL_UPDATE, WriteKind::kPatch, Operation::kPatch, "delta",
     kPatchMembers},
    {"json_patch", ACL_SELECT | ACL_INSERT | ACL_UPDATE, WriteKind::kPatch, Operation::kPatch, "operations",
     kPatchMembers},
    {"increment", ACL_SELECT | ACL_INSERT | ACL_UPDATE, WriteKind::kPatch, Operation::kPatch, "",
     "delta path"},
    {"touch", ACL_SELECT | ACL_INSERT | ACL_UPDATE, WriteKind::kTouch, Operation::kExpire, "", "ttl"},
    {"delete", ACL_DELETE, WriteKind::kDelete, Operation::kDelete, "", kPatchMembers},
}};

[[noreturn]] void ThrowMalformed(size_t number, const std::string& problem, const std::string& hint = {}) {
    throw Error(ErrorCode::kInvalidArgument, "operation " + std::to_string(number) + ": " + problem, hint);
}

bool HasWord(std::string_view words, std::string_view word) {
    while (!words.empty()) {
        const size_t end = std::min(words.find(' '), words.size());
        if (words.substr(0, end) == word) {
            return true;
        }
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return false;
}

// One operation, as it was given and as it is run.
class BatchOperation {
  public:
    // Errors: kInvalidArgument, which name the operation by its number, from 1 on.
    BatchOperation(size_t number, const Json& json) : number_(number), json_(json) {
        if (!json.IsObject()) {
            ThrowMalformed(number, "it is no object");
        }
        kind_ = FindKind(String("op", true));
        for (const auto& [name, value] : json.object()) {
            if (name != "op" && name != "key" && name != kind_->required && !HasWord(kind_->optional, name)) {
                ThrowMalformed(number_, Quoted(kind_->name) + " has no member " + Quoted(name));
            }
        }
        if (!kind_->required.empty() && json.Find(kind_->required) == nullptr) {
            ThrowMalformed(number_, Quoted(kind_->name) + " needs a member " + Quoted(kind_->required));
        }
        const std::string& key = String("key", true);
        ThrowUnlessKey(key);
        write_.key = Guarded([&] { return MakeVarlena(key); });
    }
    BatchOperation(const BatchOperation&) = delete;
    BatchOperation& operator=(const BatchOperation&) = delete;

    AclMode mode() const { return kind_->mode; }
    bool is_get() const { return kind_->name == "get"; }
    Datum key() const { return write_.key; }

    // Valid as long as the operation.
    BatchWrite ToWrite() {
        write_.request = ToRequest(kind_->kind, kind_->operation, Arguments());
        if (kind_->kind == WriteKind::kCas && !write_.request.options.expected_version) {
            ThrowMalformed(number_, "\"cas\" needs a member \"expected_version\"");
        }
        write_.value = Value();
        return write_;
    }

    // What a get finds.
    void Found(const DataItem& item, std::string_view payload, uint64_t version) {
        found_.emplace();
        (*found_)["version"] = Json::Integer(static_cast<int64_t>(version));
        if (item.type == ValueType::kJson) {
            (*found_)["value"] = JsonFromJsonb(payload);
        } else {
            (*found_)["bytes"] = Json::String(Guarded(
                [&] { return DatumGetCString(DirectFunctionCall1(byteaout, MakeVarlena(payload))); }));
        }
    }

    Json Answer(const BatchAnswer& answer) const {
        Json::Object members;
        const auto status = [&](const char* name) { members["status"] = Json::String(name); };
        switch (answer.status) {
            case BatchAnswer::Status::kRefused:
                status(answer.refusal->code() == ErrorCode::kStaleVersion ? "stale_version"
                       : answer.refusal->code() == ErrorCode::kWrongType  ? "wrong_type"
                       : answer.refusal->code() == ErrorCode::kNotFound   ? "absent"
                                                                          : "refused");
                members["message"] = Json::String(answer.refusal->what());
                return Json::FromObject(std::move(members));
            case BatchAnswer::Status::kBusy:
                status("busy");
                return Json::FromObject(std::move(members));
            case BatchAnswer::Status::kNotApplied:
                status("not_applied");
                return Json::FromObject(std::move(members));
            case BatchAnswer::Status::kDone:
                break;
        }
        if (found_) {
            members = *found_;
        }
        if (!sum_.empty()) {
            members["value"] = Json::Number(sum_).OrThrow();
        }
        if (answer.written.changed()) {
            members["version"] = Json::Integer(static_cast<int64_t>(answer.written.metadata.version));
        }
        status(found_ || answer.written.changed() ? "ok"
               : kind_->kind == WriteKind::kCas   ? "stale_version"
                                                  : "absent");
        return Json::FromObject(std::move(members));
    }

  private:
    const OperationKind* FindKind(const std::string& name) const {
        for (const OperationKind& kind : kKinds) {
            if (kind.name == name) {
                return &kind;
            }
        }
        std::string names;
        for (const OperationKind& kind : kKinds) {
            names += (names.empty() ? "" : ", ") + std::string(kind.name);
        }
        ThrowMalformed(number_, "there is no operation " + Quoted(name), "There are: " + names + ".");
    }

    // The member as a string; empty if it is absent or null and not required.
    const std::string& String(std::string_view name, bool required = false) const {
        static const std::string kNone;
        const Json* member = json_.Find(name);
        if (member == nullptr || member->IsNull()) {
            if (required) {
                ThrowMalformed(number_, "it has no member " + Quoted(name));
            }
            return kNone;
        }
        if (!member->IsString()) {
            ThrowMalformed(number_, "member " + Quoted(name) + " must be a string");
        }
        return member->string();
    }

    std::optional<std::string_view> OptionalString(std::string_view name) const {
        const Json* member = json_.Find(name);
        return member == nullptr || member->IsNull() ? std::nullopt
                                                     : std::optional<std::string_view>(String(name));
    }

    Datum NumericOf(const std::string& text) const {
        return Guarded([&] {
            return DirectFunctionCall3(numeric_in, CStringGetDatum(text.c_str()),
                                       ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
        });
    }

    WriteArguments Arguments() const {
        WriteArguments arguments = {};
        arguments.comment = OptionalString("comment");
        arguments.modified_by = OptionalString("modified_by");
        arguments.schema_hash = OptionalString("schema_hash");
        if (const Json* version = json_.Find("expected_version"); version != nullptr && !version->IsNull()) {
            if (!version->IsNumber()) {
                ThrowMalformed(number_, "member \"expected_version\" must be a number");
            }
            const Datum number = NumericOf(version->number_text());
            arguments.expected_version =
                Guarded([&] { return DatumGetInt64(DirectFunctionCall1(numeric_int8, number)); });
        }
        if (const std::string& ttl = String("ttl"); !ttl.empty()) {
            arguments.expires_at = Guarded([&] {
                return ExpiryOf(
                    DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(ttl.c_str()),
                                                          ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1))));
            });
        }
        if (const Json* tags = json_.Find("tags"); tags != nullptr && !tags->IsNull()) {
            AddTags(*tags, &arguments);
        }
        return arguments;
    }

    void AddTags(const Json& tags, WriteArguments* arguments) const {
        if (!tags.IsArray()) {
            ThrowMalformed(number_, "member \"tags\" must be an array");
        }
        const int count = static_cast<int>(tags.array().size());
        auto* elements = static_cast<Datum*>(Guarded([&] { return palloc(sizeof(Datum) * (count + 1)); }));
        for (int i = 0; i < count; i++) {
            const Json& tag = tags.array()[i];
            if (!tag.IsString()) {
                ThrowMalformed(number_, "member \"tags\" must be an array of strings");
            }
            elements[i] = Guarded([&] { return MakeVarlena(tag.string()); });
        }
        arguments->has_tags = true;
        arguments->tags = {elements, count};
    }

    // A jsonb of a member, which lives as long as the call.
    std::string_view Jsonb(std::string_view name) const {
        const Json& member = *json_.Find(name);
        return Contents(DatumGetPointer(JsonbFromJson(member)));
    }

    ValueFunction Value() {
        const std::string_view name = kind_->name;
        if (name == "get") {
            return [this](const CurrentEntry& current) -> std::optional<DataItem> {
                if (const DataItem* found = current.item()) {
                    std::string blob;
                    Found(*found, current.Payload(&blob), current.previous().version());
                }
                return std::nullopt;
            };
        }
        if (name == "put" || name == "cas") {
            return [item = JsonItem(Jsonb("value"))](const CurrentEntry&) { return item; };
        }
        if (name == "put_bytes") {
            const std::string& text = String("bytes", true);
            const Datum bytes =
                Guarded([&] { return DirectFunctionCall1(byteain, CStringGetDatum(text.c_str())); });
            return [item = BytesItem(Contents(DatumGetPointer(bytes)))](const CurrentEntry&) { return item; };
        }
        if (name == "patch") {
            return DocumentValue(key(), MergeChange(*json_.Find("delta")));
        }
        if (name == "json_patch") {
            return DocumentValue(key(), PatchChange(key(), *json_.Find("operations")));
        }
        if (name == "increment") {
            const Json* delta = json_.Find("delta");
            if (delta != nullptr && !delta->IsNumber()) {
                ThrowMalformed(number_, "member \"delta\" must be a number");
            }
            const Datum number = NumericOf(delta == nullptr ? "1" : delta->number_text());
            return DocumentValue(key(),
                                 IncrementChange(key(), DatumGetNumeric(number), String("path"), &sum_));
        }
        if (name == "touch") {
            return [this](const CurrentEntry& current) { return current.InlineItem(&blob_); };
        }
        return nullptr;
    }

    size_t number_;
    const Json& json_;
    const OperationKind* kind_ = nullptr;
    BatchWrite write_;
    std::optional<Json::Object> found_;  // by a get
    std::string sum_;                    // of an increment
    std::string blob_;
};

// Of a batch that only reads, which is possible where nothing may be written.
void ReadAll(std::string_view branch, std::deque<BatchOperation>* operations) {
    EntryReader reader(
        OpenReadView(branch.empty() ? std::nullopt : std::optional<std::string_view>(branch), std::nullopt));
    for (BatchOperation& operation : *operations) {
        if (std::optional<FoundEntry> found = reader.Find(operation.key(), true)) {
            const uint64_t version = DecodeMetadataHeader(found->meta.bytes).OrThrow().version;
            operation.Found(found->item, reader.LoadPayload(found->item), version);
        }
    }
}

}  // namespace

// (operations, branch, atomic)
KVS_FUNCTION(kvs_apply)
{
    const std::string_view given = RequiredJsonb(fcinfo, 0, "operations");
    const std::string_view branch = BytesOrEmpty(fcinfo, 1);
    const bool atomic = BoolOr(fcinfo, 2, true);
    const Json json = JsonFromJsonb(given);
    if (!json.IsArray()) {
        throw Error(ErrorCode::kInvalidArgument, "operations must be an array of objects");
    }
    if (json.array().size() > kMostOperations) {
        throw Error(ErrorCode::kLimitExceeded,
                    std::to_string(json.array().size()) + " operations are too many",
                    "One call takes at most " + std::to_string(kMostOperations) + ".");
    }
    std::deque<BatchOperation> operations;
    AclMode mode = 0;
    for (const Json& operation : json.array()) {
        mode |= operations.emplace_back(operations.size() + 1, operation).mode();
    }
    std::vector<BatchAnswer> answers;
    if ((mode & ~ACL_SELECT) == 0) {
        Guarded([] { RequireRead(); });
        ReadAll(branch, &operations);
        answers.resize(operations.size(), {BatchAnswer::Status::kDone, {}, {}});
    } else {
        Guarded([&] { RequireWrite(mode, "kvs.apply()"); });
        std::vector<BatchWrite> writes;
        writes.reserve(operations.size());
        for (BatchOperation& operation : operations) {
            writes.push_back(operation.ToWrite());
        }
        answers = RunBatch(branch, writes, atomic);
    }
    Json::Array result;
    for (size_t i = 0; i < operations.size(); i++) {
        result.push_back(operations[i].Answer(answers[i]));
    }
    return JsonbFromJson(Json::FromArray(std::move(result)));
}

}  // namespace kvs::sqlapi
