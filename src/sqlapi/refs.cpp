// Tags, and questions about refs: create_tag, get_tag, delete_tag, rev_parse, merge_base.
#include <optional>
#include <vector>

#include "kvs/version/merge_base.h"
#include "pg/branch/tag_edit.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/access_guard.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/table/tag_table.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/row.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kEditMode = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// 0 if there is none.
Datum TagHex(std::string_view name) {
    const std::optional<Hash> commit = FindTag(name, GetActiveSnapshot());
    return commit ? Guarded([&] { return HexDatum(*commit); }) : Datum{0};
}

// 0 if the histories have nothing in common.
Datum MergeBaseHex(std::string_view a, std::string_view b) {
    Snapshot snapshot = GetActiveSnapshot();
    CommitTable graph(snapshot);
    const std::vector<Hash> bases =
        MergeBases(graph, ResolveCommit(a, {}, snapshot), ResolveCommit(b, {}, snapshot));
    return bases.empty() ? Datum{0} : Guarded([&] { return HexDatum(bases[0]); });
}

}  // namespace

// (name, ref, message)
KVS_FUNCTION(kvs_create_tag)
{
    RequireWrite(kEditMode, "kvs.create_tag()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    const std::string_view ref = OptionalBytes(fcinfo, 1).value_or("HEAD");
    return HexDatum(CreateTag(name, ref, OptionalBytes(fcinfo, 2)));
}

// (name)
KVS_FUNCTION(kvs_get_tag)
{
    RequireRead();
    if (PG_ARGISNULL(0)) {
        PG_RETURN_NULL();
    }
    const Datum commit = TagHex(*OptionalBytes(fcinfo, 0));
    if (commit == 0) {
        PG_RETURN_NULL();
    }
    return commit;
}

// (name)
KVS_FUNCTION(kvs_delete_tag)
{
    RequireWrite(kEditMode, "kvs.delete_tag()");
    PG_RETURN_BOOL(DeleteTag(RequiredBytes(fcinfo, 0, "name")));
}

// (ref)
KVS_FUNCTION(kvs_rev_parse)
{
    RequireRead();
    const std::string_view ref = RequiredBytes(fcinfo, 0, "ref");
    return HexDatum(ResolveCommit(ref, {}, GetActiveSnapshot()));
}

// (a, b)
KVS_FUNCTION(kvs_merge_base)
{
    RequireRead();
    const std::string_view a = RequiredBytes(fcinfo, 0, "a");
    const Datum base = MergeBaseHex(a, RequiredBytes(fcinfo, 1, "b"));
    if (base == 0) {
        PG_RETURN_NULL();
    }
    return base;
}

}  // namespace kvs::sqlapi
