// Questions about refs: rev_parse, merge_base.
#include <string>
#include <vector>

#include "kvs/version/merge_base.h"
#include "pg/access_guard.h"
#include "pg/arguments.h"
#include "pg/commit_table.h"
#include "pg/convert.h"
#include "pg/entry_point.h"
#include "pg/ref_resolver.h"

namespace {

using namespace kvs;
using namespace kvs::pg;

Datum HexDatum(const kvs::Hash& hash) {
    const std::string hex = hash.ToHex();
    return Guarded([&] { return MakeVarlena(hex); });
}

// 0 if the histories have nothing in common.
Datum MergeBaseOf(std::string_view a, std::string_view b) {
    Snapshot snapshot = GetActiveSnapshot();
    CommitTable graph(snapshot);
    const std::vector<kvs::Hash> bases =
        MergeBases(graph, ResolveCommit(a, {}, snapshot), ResolveCommit(b, {}, snapshot));
    return bases.empty() ? Datum{0} : HexDatum(bases[0]);
}

}  // namespace

// (ref)
KVS_FUNCTION(kvs_rev_parse) {
    RequireRead();
    const std::string_view ref = RequiredBytes(fcinfo, 0, "ref");
    return HexDatum(ResolveCommit(ref, {}, GetActiveSnapshot()));
}

// (a, b)
KVS_FUNCTION(kvs_merge_base) {
    RequireRead();
    const std::string_view a = RequiredBytes(fcinfo, 0, "a");
    const Datum base = MergeBaseOf(a, RequiredBytes(fcinfo, 1, "b"));
    if (base == 0) {
        PG_RETURN_NULL();
    }
    return base;
}
