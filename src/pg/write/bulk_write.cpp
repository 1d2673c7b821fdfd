#include "pg/write/bulk_write.h"

#include <algorithm>
#include <vector>

#include "pg/read/entry_scan.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/write/write_arguments.h"
#include "pg/write/writer.h"

namespace kvs::pg {

int64 PutMany(const DatumArray& keys, const DatumArray& values, std::string_view branch) {
    struct Pair {
        std::string_view key;
        Datum key_datum;
        Datum value;
        int position;
    };
    std::vector<Pair> pairs;
    pairs.reserve(static_cast<size_t>(keys.count));
    for (int i = 0; i < keys.count; i++) {
        const Datum key = Guarded([&] { return PointerGetDatum(PG_DETOAST_DATUM_PACKED(keys.elements[i])); });
        ThrowUnlessKey(Contents(DatumGetPointer(key)));
        pairs.push_back({Contents(DatumGetPointer(key)), key, values.elements[i], i});
    }
    std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
        return a.key != b.key ? a.key < b.key : a.position < b.position;
    });
    const WriteRequest request = ToRequest(WriteKind::kPut, Operation::kSet, {});
    Writer writer(branch);
    int64 written = 0;
    for (size_t i = 0; i < pairs.size(); i++) {
        if (i + 1 < pairs.size() && pairs[i + 1].key == pairs[i].key) {
            continue;  // given again: the last wins
        }
        const DataItem item = JsonItem(Guarded([&] { return Contents(DatumGetJsonbP(pairs[i].value)); }));
        writer.Update(pairs[i].key_datum, request, [&](const CurrentEntry&) { return item; });
        written++;
    }
    writer.Finish();
    return written;
}

int64 DeletePrefix(std::string_view prefix, std::optional<std::string_view> branch) {
    const std::string_view branch_name = branch.value_or(std::string_view(settings.branch));
    EntryScan scan(OpenReadView(branch_name, std::nullopt), {KeyRange::Prefix(prefix), false, false});
    const WriteRequest request = ToRequest(WriteKind::kDelete, Operation::kDelete, {});
    Writer writer(branch_name);
    MemoryContext context = Guarded([] {
        return AllocSetContextCreate(CurrentMemoryContext, "kvs delete_prefix", ALLOCSET_SMALL_SIZES);
    });
    int64 deleted = 0;
    while (scan.Next()) {
        const Datum key = Guarded([&] {
            MemoryContextReset(context);
            MemoryContext caller = MemoryContextSwitchTo(context);
            const Datum datum = MakeVarlena(scan.key());
            MemoryContextSwitchTo(caller);
            return datum;
        });
        deleted += writer.Update(key, request).changed ? 1 : 0;
    }
    writer.Finish();
    return deleted;
}

}  // namespace kvs::pg
