// Writes of many keys: mput, delete_prefix.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "kvs/error.h"
#include "pg/read/entry_scan.h"
#include "pg/table/access_guard.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/settings.h"
#include "pg/write/write_arguments.h"
#include "pg/write/writer.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

struct PutManyArguments {
    DatumArray keys;
    DatumArray values;
    std::optional<std::string_view> branch;
};

// Keys are written in their order, so that two calls over the same keys cannot deadlock.
int64 PutMany(const PutManyArguments& arguments) {
    struct Pair {
        std::string_view key;
        Datum key_datum;
        Datum value;
        int position;
    };
    std::vector<Pair> pairs;
    pairs.reserve(static_cast<size_t>(arguments.keys.count));
    for (int i = 0; i < arguments.keys.count; i++) {
        const Datum key =
            Guarded([&] { return PointerGetDatum(PG_DETOAST_DATUM_PACKED(arguments.keys.elements[i])); });
        ThrowUnlessKey(Contents(DatumGetPointer(key)));
        pairs.push_back({Contents(DatumGetPointer(key)), key, arguments.values.elements[i], i});
    }
    std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
        return a.key != b.key ? a.key < b.key : a.position < b.position;
    });
    const WriteRequest request = ToRequest(WriteKind::kPut, Operation::kSet, {});
    Writer writer(arguments.branch.value_or(std::string_view()));
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

// Deletes what the statement sees, in key order; a key that somebody deletes at the same time is not counted.
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

}  // namespace

// (keys, vals, branch)
KVS_FUNCTION(kvs_mput)
{
    RequireWrite(ACL_INSERT | ACL_UPDATE, "kvs.mput()");
    const PutManyArguments arguments = {RequiredArray(fcinfo, 0, "keys"), RequiredArray(fcinfo, 1, "vals"),
                                        OptionalBytes(fcinfo, 2)};
    if (arguments.keys.count != arguments.values.count) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("keys and vals must have the same number of elements"),
                errdetail("There are %d keys and %d values.", arguments.keys.count, arguments.values.count));
    }
    PG_RETURN_INT64(PutMany(arguments));
}

// (prefix, branch)
KVS_FUNCTION(kvs_delete_prefix)
{
    RequireWrite(ACL_DELETE, "kvs.delete_prefix()");
    const std::string_view prefix = RequiredBytes(fcinfo, 0, "prefix");
    PG_RETURN_INT64(DeletePrefix(prefix, OptionalBytes(fcinfo, 1)));
}

}  // namespace kvs::sqlapi
