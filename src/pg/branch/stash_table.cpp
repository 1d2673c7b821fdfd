#include "pg/branch/stash_table.h"

#include <iterator>
#include <string>

#include "kvs/error.h"
#include "pg/table/commit_table.h"
#include "pg/table/owner_query.h"
#include "pg/table/owner_scope.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/lock_timeout.h"
#include "pg/wall/settings.h"

namespace kvs::pg {

namespace {

int64 AddStash(const Branch& branch, const Hash& commit, const std::string& author,
               std::string_view message) {
    OwnerQuery number("SELECT nextval('_kvs.stash_id')");
    number.Next();
    const int64 id = number.Int8(1);
    number.Finish();
    Oid types[] = {TEXTOID, BYTEAOID, BYTEAOID, TEXTOID, TEXTOID, INT8OID};
    Datum values[std::size(types)];
    Guarded([&] {
        values[5] = Int64GetDatum(id);
        values[0] = MakeVarlena(branch.name);
        values[1] = HashDatum(branch.head);
        values[2] = HashDatum(commit);
        values[3] = MakeVarlena(author);
        values[4] = MakeVarlena(message);
    });
    ExecuteAsOwner(
        "INSERT INTO _kvs.stash (id, branch, head, commit_hash, author, message, at)"
        " VALUES ($6, $1, $2, $3, $4, $5, now())",
        std::size(types), types, values, "      ");
    return id;
}

Hash ReadStash(int64 id, const char* sql) {
    Oid types[] = {INT8OID};
    Datum values[] = {Int64GetDatum(id)};
    OwnerQuery row(sql, 1, types, values, true);
    std::optional<Hash> found;
    if (row.Next()) {
        found = row.Address(1);
    }
    row.Finish();
    if (!found) {
        throw Error(ErrorCode::kNotFound, "there is no stash " + std::to_string(id), "See view kvs.stashes.");
    }
    return *found;
}

}  // namespace

std::optional<int64> StashWork(std::string_view branch_name, std::string_view message) {
    std::optional<int64> id;
    const std::string author = AuthorName({});
    RewriteBranch(
        branch_name,
        [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            RewritePlan plan;
            if (IsClean(branch, chunks, snapshot)) {
                return plan;
            }
            const TreePair head = RootsOf(branch.head, snapshot);
            plan.applies = true;
            plan.operation = Operation::kReset;
            plan.onto = branch.head;
            plan.numbers = ChangeNumbers(DifferMuch(chunks, branch.working, head));
            plan.working = SwitchTrees(chunks, branch.working, head, author, &*plan.numbers).roots;
            return plan;
        },
        [&](const Branch& branch, const RewritePlan& plan, Snapshot snapshot) {
            if (plan.applies) {
                const std::string text =
                    message.empty() ? "work on branch " + std::string(branch.name) : std::string(message);
                const Hash commit =
                    MakeCommit({branch.working, {}, author, text}, PlaceOf(branch.head, snapshot), snapshot)
                        .hash;
                id = AddStash(branch, commit, author, text);
            }
        });
    return id;
}

MergeReport ApplyStash(std::string_view branch_name, const Hash& stash, const MergeSteps& steps) {
    MergeReport report;
    const std::string author = AuthorName({});
    RewriteBranch(
        branch_name,
        [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            report = {};
            if (steps.restart) {
                steps.restart();
            }
            const Commit work = ReadCommit(stash, snapshot);
            const TreePair base = RootsOf(work.parents.at(0), snapshot);
            const TreePair theirs{work.data_root, work.meta_root};
            RewritePlan plan;
            plan.operation = Operation::kMerge;
            plan.onto = branch.head;
            plan.numbers = ChangeNumbers(DifferMuch(chunks, base, theirs));
            RewrittenTrees merged = MergeTrees(chunks, base, branch.working, theirs,
                                               {LoadMergePolicies(), steps.resolve, author}, &*plan.numbers);
            report.conflicts = std::move(merged.conflicts);
            report.merged = report.conflicts.empty() ? merged.changed : 0;
            plan.applies = report.conflicts.empty();
            plan.working = merged.roots;
            plan.previous = std::move(merged.previous);
            return plan;
        },
        [&](const Branch& branch, const RewritePlan&, Snapshot) { steps.before_apply(branch, report); },
        steps.inputs_changed);
    return report;
}

Hash FindStash(int64 id) {
    return ReadStash(id, "SELECT commit_hash FROM _kvs.stash WHERE id = $1");
}

void LockStash(int64 id) {
    const LockTimeoutScope bounded(settings.branch_lock_timeout);
    ReadStash(id, "SELECT commit_hash FROM _kvs.stash WHERE id = $1 FOR UPDATE");
}

bool DropStash(int64 id) {
    Oid types[] = {INT8OID};
    Datum values[] = {Int64GetDatum(id)};
    return ExecuteAsOwner("DELETE FROM _kvs.stash WHERE id = $1", 1, types, values, " ") > 0;
}

}  // namespace kvs::pg
