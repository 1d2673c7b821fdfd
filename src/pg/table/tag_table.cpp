#include "pg/table/tag_table.h"

#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {
constexpr int kCommitHashColumn = 2;
}

std::optional<Hash> FindTag(std::string_view name, Snapshot snapshot) {
    Hash hash;
    const bool found = Guarded([&] {
        Table table = OpenForRead(Object::kTag, Object::kTagPkey);
        ScanKeyData key;
        KeyText(&key, 1, MakeVarlena(name));
        const bool hit = Lookup(&table, snapshot, &key, 1);
        if (hit) {
            hash = DatumHash(table.Get(kCommitHashColumn));
        }
        Close(&table);
        return hit;
    });
    return found ? std::optional<Hash>(hash) : std::nullopt;
}

}  // namespace kvs::pg
