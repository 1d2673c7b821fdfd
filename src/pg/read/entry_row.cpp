#include "pg/read/entry_row.h"

#include "kvs/entry.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

EntryRow MakeEntryRow(std::string_view key, const DataItem& item, std::string_view payload,
                      std::string_view meta, uint32 wanted) {
    const bool wants_meta = (wanted & kEntryMetaColumns) != 0;
    const Metadata metadata = wants_meta ? DecodeMetadata(meta).OrThrow() : Metadata{};
    EntryRow row;
    Guarded([&] {
        const auto set = [&](EntryColumn column, bool present, auto make) {
            if (present && (wanted & EntryBit(column)) != 0) {
                row.Set(column, make());
            }
        };
        const bool is_json = item.type == ValueType::kJson;
        set(kEntryKey, true, [&] { return MakeVarlena(key); });
        set(is_json ? kEntryValue : kEntryBytes, true, [&] { return MakeVarlena(payload); });
        set(kEntryType, true, [&] { return MakeVarlena(is_json ? "json" : "bytes"); });
        set(kEntryExpiresAt, item.expires_at.has_value(), [&] { return TimeDatum(*item.expires_at); });
        if (!wants_meta) {
            return;
        }
        set(kEntryVersion, true, [&] { return Int64GetDatum(static_cast<int64>(metadata.version)); });
        set(kEntryCreatedAt, true, [&] { return TimeDatum(metadata.created_at); });
        set(kEntryUpdatedAt, true, [&] { return TimeDatum(metadata.updated_at); });
        set(kEntryModifiedBy, !metadata.modified_by.empty(),
            [&] { return MakeVarlena(metadata.modified_by); });
        set(kEntryComment, metadata.comment.has_value(), [&] { return MakeVarlena(*metadata.comment); });
        set(kEntryTags, true, [&] { return TextArray(metadata.tags); });
        set(kEntrySchemaHash, metadata.schema_hash.has_value(),
            [&] { return MakeVarlena(*metadata.schema_hash); });
    });
    return row;
}

}  // namespace kvs::pg
