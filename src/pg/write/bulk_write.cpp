#include "pg/write/bulk_write.h"

#include <algorithm>
#include <span>
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
        Datum key;
        int position;
        std::string_view Key() const { return Contents(DatumGetPointer(key)); }
    };
    std::vector<Pair> pairs;
    pairs.reserve(static_cast<size_t>(keys.count));
    for (int i = 0; i < keys.count; i++) {
        const Datum key = Guarded([&] { return PointerGetDatum(PG_DETOAST_DATUM_PACKED(keys.elements[i])); });
        ThrowUnlessKey(Contents(DatumGetPointer(key)));
        pairs.push_back({key, i});
    }
    // Of a key that is given again the last one wins.
    std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
        return a.Key() != b.Key() ? a.Key() < b.Key() : a.position > b.position;
    });
    pairs.erase(std::unique(pairs.begin(), pairs.end(),
                            [](const Pair& a, const Pair& b) { return a.Key() == b.Key(); }),
                pairs.end());
    std::vector<Datum> sorted;
    sorted.reserve(pairs.size());
    for (const Pair& pair : pairs) {
        sorted.push_back(pair.key);
    }
    const WriteRequest request = ToRequest(WriteKind::kPut, Operation::kSet, {});
    Writer writer(branch);
    for (size_t i = 0; i < pairs.size(); i++) {
        if (i % Writer::kKeysAtOnce == 0) {
            writer.Expect(std::span(sorted).subspan(i, std::min(Writer::kKeysAtOnce, sorted.size() - i)),
                          false);
        }
        const DataItem item =
            JsonItem(Guarded([&] { return Contents(DatumGetJsonbP(values.elements[pairs[i].position])); }));
        writer.Update(pairs[i].key, request, [&](const CurrentEntry&) { return item; });
    }
    writer.Finish();
    return static_cast<int64>(pairs.size());
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
        deleted += writer.Update(key, request).changed() ? 1 : 0;
    }
    writer.Finish();
    return deleted;
}

}  // namespace kvs::pg
