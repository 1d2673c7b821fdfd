#include "pg/stream/notification.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "kvs/codec/key.h"
#include "kvs/json/json.h"
#include "kvs/util/quote.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/jsonb_json.h"
#include "pg/wall/row.h"

extern "C" {
#include "utils/datetime.h"
#include "utils/json.h"
}

namespace kvs::pg {

namespace {

constexpr const char* kTruncated = R"(,"truncated":true)";

void AppendName(std::string* out, const char* name) {
    *out += out->empty() ? "{\"" : ",\"";
    *out += name;
    *out += "\":";
}

void AppendText(std::string* out, const char* name, std::string_view text) {
    AppendName(out, name);
    AppendQuotedJson(*out, text);
}

template <typename Texts>
void AppendTexts(std::string* out, const char* name, const Texts& texts) {
    AppendName(out, name);
    *out += '[';
    for (size_t i = 0; i < texts.size(); i++) {
        *out += i > 0 ? "," : "";
        AppendQuotedJson(*out, texts[i]);
    }
    *out += ']';
}

void AppendTime(std::string* out, const char* name, Timestamp time) {
    char text[MAXDATELEN + 1];
    Guarded([&] { JsonEncodeDateTime(text, TimeDatum(time), TIMESTAMPTZOID, nullptr); });
    AppendText(out, name, text);
}

// A value of so many bytes does not fit, however it is written: the shortest of JSON's parts take four times
// as much in jsonb, and bytes half of their text.
constexpr size_t kSurelyTooLong = 8 * kMaxNotification;

// As much of a text as tells that it does not fit.
constexpr size_t kTooLong = kMaxNotification + 1;

// JSON; bytes stand as bytea writes them. Of what does not fit as much as tells so. `load` gives the payload.
template <typename Load>
std::string ValueText(const DataItem& item, Load load) {
    std::string text;
    if (item.PayloadSize() > kSurelyTooLong) {
        text.resize(kTooLong, ' ');
    } else if (item.type != ValueType::kJson) {
        AppendQuotedJson(text, BytesText(load()));
    } else {
        const std::string_view payload = load();
        text = Guarded([&] {
            auto* document = reinterpret_cast<Jsonb*>(DatumGetPointer(MakeVarlena(payload)));
            return JsonbToCString(nullptr, &document->root, static_cast<int>(payload.size()));
        });
    }
    text.resize(std::min(text.size(), kTooLong));
    return text;
}

}  // namespace

Notification::Notification(EventReader* reader, std::string_view branch, RecentValues* recent)
    : pos_(reader->pos()) {
    const Metadata& metadata = reader->metadata();
    const DataItem* item = reader->item();
    const ParsedKey key = ParseKey(reader->key()).OrThrow();
    head_ = "{\"pos\":" + std::to_string(pos_);
    AppendText(&head_, "key", reader->key());
    AppendTexts(&head_, "namespace", key.namespace_segments);
    AppendText(&head_, "operation", item != nullptr ? "set" : "delete");
    AppendText(&head_, "op", OperationName(reader->operation()));
    AppendName(&head_, "version");
    head_ += std::to_string(metadata.version);
    if (!branch.empty()) {
        AppendText(&head_, "branch", branch);
    }
    AppendTime(&head_, "at", metadata.updated_at);
    if (!metadata.modified_by.empty()) {
        AppendText(&head_, "modified_by", metadata.modified_by);
    }
    if (!reader->origin().empty()) {
        AppendText(&head_, "origin", reader->origin());
    }
    AppendTexts(&head_, "tags", metadata.tags);
    AppendOld(reader, recent);
    std::string value;
    if (item != nullptr) {
        if (item->type == ValueType::kJson) {
            AppendText(&head_, "data_hash", HashOfDocument(reader->LoadPayload()).ToHex());
        }
        value = ValueText(*item, [&] { return reader->LoadPayload(); });
        AppendName(&values_, "new");
        values_ += value;
    }
    if (!values_.empty()) {
        values_.front() = ',';
    }
    if (reader->seq() != 0) {
        recent->Put(reader->seq(), std::move(value));
    }
}

void Notification::AppendOld(EventReader* reader, RecentValues* recent) {
    std::optional<std::string> value = recent->Take(reader->prev_seq());
    if (!value) {
        const OldValue old = reader->LoadOld();
        if (old == OldValue::kUnavailable) {
            AppendName(&head_, "old_unavailable");
            head_ += "true";
        }
        value.emplace();
        if (old == OldValue::kThere) {
            value = ValueText(*reader->old_item(), [&] { return reader->LoadOldPayload(); });
        }
    }
    if (!value->empty()) {
        AppendName(&values_, "old");
        values_ += *value;
    }
}

std::string Notification::For(const std::vector<std::string_view>& patterns) const {
    std::string payload = head_;
    AppendTexts(&payload, "patterns", patterns);
    if (payload.size() + values_.size() + 1 <= kMaxNotification) {
        payload += values_;
    } else {
        payload += kTruncated;
    }
    payload += '}';
    return payload.size() <= kMaxNotification ? payload : NotificationOf(pos_, pos_);
}

std::string NotificationOf(int64 first, int64 last) {
    return "{\"from\":" + std::to_string(first) + ",\"pos\":" + std::to_string(last) + kTruncated + "}";
}

}  // namespace kvs::pg
