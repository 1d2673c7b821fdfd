// Rows of type kvs.entry.
#pragma once

#include <string_view>

#include "kvs/codec/item.h"
#include "pg/wall/row.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Columns of kvs.entry, and of kvs.entries.
enum EntryColumn : uint8 {
    kEntryKey,
    kEntryValue,
    kEntryVersion,
    kEntryType,
    kEntryBytes,
    kEntryCreatedAt,
    kEntryUpdatedAt,
    kEntryExpiresAt,
    kEntryModifiedBy,
    kEntryComment,
    kEntryTags,
    kEntrySchemaHash,
    kEntryColumns
};

using EntryRow = Row<kEntryColumns>;

// A bit per column, for callers that do not need all of them.
constexpr uint32 EntryBit(int column) {
    return 1u << column;
}
constexpr uint32 kAllEntryColumns = ~0u;
constexpr uint32 kEntryMetaColumns =
    EntryBit(kEntryVersion) | EntryBit(kEntryCreatedAt) | EntryBit(kEntryUpdatedAt) |
    EntryBit(kEntryModifiedBy) | EntryBit(kEntryComment) | EntryBit(kEntryTags) | EntryBit(kEntrySchemaHash);

// The row of an entry, its values in the current memory context; columns not in `wanted` are NULL. `payload`
// is the item's, wherever it lay; `meta` the encoded metadata, unused if no column of it is wanted.
EntryRow MakeEntryRow(std::string_view key, const DataItem& item, std::string_view payload,
                      std::string_view meta, uint32 wanted = kAllEntryColumns);

}  // namespace kvs::pg
