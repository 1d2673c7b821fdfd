#include "pg/read/entry_tuple.h"

#include "kvs/entry.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

void FillEntry(std::string_view key, const DataItem& item, std::string_view payload, std::string_view meta,
               uint32 wanted, Datum* values, bool* nulls) {
    const bool wants_meta = (wanted & kEntryMetaColumns) != 0;
    const Metadata metadata = wants_meta ? DecodeMetadata(meta).OrThrow() : Metadata{};
    Guarded([&] {
        memset(nulls, true, kEntryColumns * sizeof(bool));
        const auto set = [&](int column, bool present, auto make) {
            if (present && (wanted & EntryBit(column)) != 0) {
                values[column - 1] = make();
                nulls[column - 1] = false;
            }
        };
        const bool is_json = item.type == ValueType::kJson;
        set(kEntryKey, true, [&] { return MakeVarlena(key); });
        set(kEntryValue, is_json, [&] { return MakeVarlena(payload); });
        set(kEntryBytes, !is_json, [&] { return MakeVarlena(payload); });
        set(kEntryType, true, [&] { return MakeVarlena(is_json ? "json" : "bytes"); });
        set(kEntryExpiresAt, item.expires_at.has_value(),
            [&] { return TimestampTzGetDatum(ToServerTime(*item.expires_at)); });
        if (!wants_meta) {
            return;
        }
        set(kEntryVersion, true, [&] { return Int64GetDatum(static_cast<int64>(metadata.version)); });
        set(kEntryCreatedAt, true, [&] { return TimestampTzGetDatum(ToServerTime(metadata.created_at)); });
        set(kEntryUpdatedAt, true, [&] { return TimestampTzGetDatum(ToServerTime(metadata.updated_at)); });
        set(kEntryModifiedBy, !metadata.modified_by.empty(),
            [&] { return MakeVarlena(metadata.modified_by); });
        set(kEntryComment, metadata.comment.has_value(), [&] { return MakeVarlena(*metadata.comment); });
        set(kEntryTags, true, [&] { return TextArray(metadata.tags); });
        set(kEntrySchemaHash, metadata.schema_hash.has_value(),
            [&] { return MakeVarlena(*metadata.schema_hash); });
    });
}

}  // namespace kvs::pg
