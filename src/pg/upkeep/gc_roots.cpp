#include "pg/upkeep/gc_roots.h"

#include "pg/table/owner_query.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

using Kind = Root::Kind;

struct RootColumn {
    Kind kind;
    const char* table;
    const char* column;
    const char* condition;  // on rows that count; $1 is RootScope::reflog_since
};

constexpr const char* kAlways = "true";
constexpr const char* kRetained = "at >= $1";
constexpr const char* kIsRange = "key IS NULL";  // of which there is an index

constexpr RootColumn kRootColumns[] = {
    {Kind::kCommit, "branch", "head", kAlways},
    {Kind::kDataTree, "branch", "working_data_root", kAlways},
    {Kind::kMetadataTree, "branch", "working_meta_root", kAlways},
    {Kind::kCommit, "tag", "commit_hash", kAlways},
    {Kind::kCommit, "reflog", "from_commit", kRetained},
    {Kind::kCommit, "reflog", "to_commit", kRetained},
    {Kind::kDataTree, "reflog", "discarded_root", kRetained},
    {Kind::kCommit, "merge", "source_commit", kAlways},
    {Kind::kCommit, "remote_ref", "head", kAlways},
    {Kind::kCommit, "stash", "head", kAlways},
    {Kind::kCommit, "stash", "commit_hash", kAlways},
    {Kind::kDataTree, "change", "substr(item, 1, 32)", kIsRange},
    {Kind::kMetadataTree, "change", "substr(item, 33, 32)", kIsRange},
    {Kind::kDataTree, "change", "substr(item, 65, 32)", kIsRange},
    {Kind::kMetadataTree, "change", "substr(item, 97, 32)", kIsRange},
};

constexpr RootColumn kStoredCommit = {Kind::kStoredCommit, "commit", "hash", kAlways};

std::string SelectColumn(const RootColumn& root) {
    return std::string("SELECT ") + root.column + " AS hash FROM _kvs." + root.table + " WHERE " +
           root.condition + " AND " + root.column + " IS NOT NULL";
}

// $2 is RootScope::changed_since. The age of a row's xmin tells old from new also where it was frozen: then
// the row may be taken for a new one, which costs time only.
constexpr const char* kIsChanged = " AND age(xmin) <= age($2)";

void ScanColumn(const RootColumn& root, const RootScope& scope,
                const std::function<void(const Root& root)>& visit) {
    const bool changed_only = scope.changed_since != InvalidTransactionId;
    const std::string query = SelectColumn(root) + (changed_only ? kIsChanged : "");
    OwnerQuery row(query.c_str(), {Parameter::Time(scope.reflog_since),
                                   Parameter::Of(XIDOID, TransactionIdGetDatum(scope.changed_since))});
    while (row.Next()) {
        const std::optional<Hash> address = row.Address(1);
        if (!address) {
            throw Damaged(std::string("_kvs.") + root.table + "." + root.column +
                          " holds something that is no address");
        }
        visit({root.kind, *address});
    }
    row.Finish();
}

}  // namespace

void ForEachRoot(const RootScope& scope, const std::function<void(const Root& root)>& visit) {
    for (const RootColumn& root : kRootColumns) {
        ScanColumn(root, scope, visit);
    }
    if (scope.changed_since != InvalidTransactionId) {
        ScanColumn(kStoredCommit, scope, visit);
    }
}

std::string SelectCommitRoots() {
    std::string query;
    for (const RootColumn& root : kRootColumns) {
        if (root.kind == Kind::kCommit) {
            query += (query.empty() ? "" : " UNION ") + SelectColumn(root);
        }
    }
    return query;
}

}  // namespace kvs::pg
