// Rewriting a branch: revert, cherry_pick, reset, rebase, squash, and putting work aside.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "kvs/version/merge_base.h"
#include "pg/branch/branch_rewrite.h"
#include "pg/branch/merge_operation.h"
#include "pg/branch/staged_merge.h"
#include "pg/branch/stash_table.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/access_guard.h"
#include "pg/table/commit_table.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kRewriteRights = ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// A ref argument that means a commit, which cannot be collected any more, and the branch that is to be
// rewritten.
struct Subject {
    Branch branch;
    Hash commit;
};

Subject FindSubject(std::string_view ref, std::string_view branch) {
    Guarded([] { LockChunksForBuild(); });
    Snapshot snapshot = GetActiveSnapshot();
    Subject subject;
    subject.branch = FindBranch(branch, snapshot);
    subject.commit = ResolveCommit(ref, subject.branch.name, snapshot);
    LockCommitForReference(subject.commit);
    return subject;
}

std::string ShortHash(const Hash& hash) {
    return hash.ToHex().substr(0, 12);
}

Datum HexDatum(const std::optional<Hash>& hash) {
    if (!hash) {
        return 0;
    }
    const std::string hex = hash->ToHex();
    return Guarded([&] { return MakeVarlena(hex); });
}

[[noreturn]] void ThrowConflicts(const std::string& operation, const std::vector<KeyConflict>& conflicts,
                                 const char* hint) {
    throw Error(ErrorCode::kWrongState, operation + " meets conflicts: " + NameConflicts(conflicts), hint);
}

// What a commit changed, or takes back, is put on top of the branch as a commit of its own.
struct Transplant {
    std::string name;  // for errors: "revert of commit ..."
    Operation operation;
    const char* reflog_operation;
    Hash base;
    Hash theirs;
    std::string author;
    std::string message;
    KeyResolver resolve;
    const char* conflict_hint;
};

// nullopt if it changed nothing.
std::optional<Hash> Apply(const Transplant& transplant, std::string_view branch_name) {
    const RewritePlan done =
        RewriteBranch(branch_name, [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            RewritePlan plan;
            plan.operation = transplant.operation;
            RewrittenTrees merged = PlanThreeWay(branch, chunks, snapshot, RootsOf(transplant.base, snapshot),
                                                 RootsOf(transplant.theirs, snapshot),
                                                 {LoadMergePolicies(), transplant.resolve, AuthorName({}),
                                                  transplant.operation != Operation::kRevert},
                                                 &plan);
            if (!merged.conflicts.empty()) {
                ThrowConflicts(transplant.name, merged.conflicts, transplant.conflict_hint);
            }
            if (merged.changed > 0) {
                plan.applies = true;
                plan.onto = branch.head;
                plan.reflog_operation = transplant.reflog_operation;
                plan.commits.push_back({merged.roots, {}, transplant.author, transplant.message});
            }
            return plan;
        });
    if (!done.applies) {
        Guarded([&] { ereport(NOTICE, errmsg("nothing changes")); });
        return std::nullopt;
    }
    return done.head;
}

std::optional<Hash> Revert(std::string_view ref, std::optional<int32> parent, std::string_view branch) {
    const Subject subject = FindSubject(ref, branch);
    const Commit commit = ReadCommit(subject.commit, GetActiveSnapshot());
    const std::string name = "commit " + ShortHash(subject.commit);
    if (commit.parents.empty()) {
        throw Error(ErrorCode::kWrongState, name + " is the initial commit, which changes nothing");
    }
    const size_t count = commit.parents.size();
    if (count > 1 && !parent) {
        throw Error(ErrorCode::kInvalidArgument,
                    name + " is a merge: which of its parents is to be gone back to?",
                    "Pass parent => 1 for what was merged into, 2 for what was merged.");
    }
    if (parent && (*parent < 1 || static_cast<size_t>(*parent) > count)) {
        throw Error(ErrorCode::kInvalidArgument, name + " has no parent " + std::to_string(*parent),
                    count == 1 ? "It has one parent: pass parent => 1, or nothing."
                               : "Its parents are counted from 1 to " + std::to_string(count) + ".");
    }
    return Apply({"revert of " + name,
                  Operation::kRevert,
                  "revert",
                  subject.commit,
                  commit.parents[static_cast<size_t>(parent.value_or(1)) - 1],
                  AuthorName({}),
                  "Revert \"" + commit.message.substr(0, commit.message.find('\n')) +
                      "\"\n\nThis reverts commit " + subject.commit.ToHex() + ".",
                  {},
                  "The keys were changed again since; put them right with kvs.put() or kvs.restore()."},
                 subject.branch.name);
}

std::optional<Hash> CherryPick(std::string_view ref, std::string_view strategy, std::string_view branch) {
    const KeyResolver resolve = ResolverOf(ParseMergeStrategy(strategy));
    const Subject subject = FindSubject(ref, branch);
    const Commit commit = ReadCommit(subject.commit, GetActiveSnapshot());
    const std::string name = "commit " + ShortHash(subject.commit);
    if (commit.parents.size() != 1) {
        throw Error(ErrorCode::kWrongState,
                    name + (commit.parents.empty() ? " is the initial commit" : " is a merge") +
                        ", which cannot be picked",
                    commit.parents.empty() ? "" : "Pick the commits that it merged, or use kvs.merge().");
    }
    return Apply(
        {"cherry-pick of " + name, Operation::kMerge, "cherry-pick", commit.parents[0], subject.commit,
         commit.author, commit.message + "\n\n(cherry picked from commit " + subject.commit.ToHex() + ")",
         resolve, "Use strategy => 'ours' or 'theirs', or kvs.merge(), which stages conflicts."},
        subject.branch.name);
}

Hash Reset(std::string_view ref, std::string_view mode, std::string_view branch_name) {
    if (mode != "hard" && mode != "soft") {
        throw Error(ErrorCode::kInvalidArgument, "unknown mode " + Quoted(mode), "Use hard or soft.");
    }
    const bool hard = mode == "hard";
    const Subject subject = FindSubject(ref, branch_name);
    const std::string author = AuthorName({});
    const RewritePlan done = RewriteBranch(
        subject.branch.name,
        [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            // What the ref names when it is the reset's turn: HEAD may have moved since it was called, and a
            // commit that it waited for must not get lost.
            const Hash commit = ResolveCommit(ref, branch.name, snapshot);
            RewritePlan plan;
            plan.operation = Operation::kReset;
            plan.reflog_operation = "reset";
            plan.onto = commit;
            const bool clean = IsClean(branch, chunks, snapshot);
            plan.applies = commit != branch.head || (hard && !clean);
            if (plan.applies) {
                const TreePair to = RootsOf(commit, snapshot);
                plan.numbers = ChangeNumbers(DifferMuch(chunks, branch.working, to));
                plan.working = hard ? SwitchTrees(chunks, branch.working, to, author, &*plan.numbers).roots
                                    : RaiseVersions(chunks, branch.working, to, &*plan.numbers);
                plan.keeps_discarded = hard && !clean;
            }
            return plan;
        },
        [&](const Branch& branch, const RewritePlan&, Snapshot) {
            if (hard) {
                DropStagedMerge(branch.id);
            }
        });
    return done.head;
}

Hash Squash(std::string_view ref, std::string_view message, std::string_view branch_name) {
    const Subject subject = FindSubject(ref, branch_name);
    const std::string author = AuthorName({});
    const RewritePlan done =
        RewriteBranch(subject.branch.name, [&](const Branch& branch, ChunkStore*, Snapshot snapshot) {
            CommitTable graph(snapshot);
            if (subject.commit == branch.head || !IsAncestor(graph, subject.commit, branch.head)) {
                throw Error(ErrorCode::kWrongState,
                            "commit " + ShortHash(subject.commit) +
                                " does not lie below the head of branch " + Quoted(branch.name),
                            "from_ref is the last commit that stays as it is, for example HEAD~3.");
            }
            RewritePlan plan;
            plan.applies = true;
            plan.reflog_operation = "squash";
            plan.onto = subject.commit;
            plan.commits.push_back({RootsOf(branch.head, snapshot), {}, author, std::string(message)});
            plan.working = branch.working;
            return plan;
        });
    return done.head;
}

// The rows of a rebase: each commit that was left behind, and the one that took its place.
class RebaseRows {
  public:
    explicit RebaseRows(FunctionCallInfo fcinfo) {
        std::string_view branch;
        std::string_view onto;
        std::string_view strategy;
        Guarded([&] {
            branch = RequiredBytes(fcinfo, 0, "branch");
            onto = RequiredBytes(fcinfo, 1, "onto");
            strategy = RequiredBytes(fcinfo, 2, "strategy");
            row_type_ = ResultRowType(fcinfo);
        });
        Run(branch, onto, ResolverOf(ParseMergeStrategy(strategy)));
    }

    bool Next(FunctionCallInfo, Datum* row, bool*) {
        if (next_ == old_.size()) {
            return false;
        }
        const std::string old_hex = old_[next_].ToHex();
        const std::string new_hex = new_[next_] ? new_[next_]->ToHex() : std::string();
        *row = Guarded([&] {
            Datum values[] = {MakeVarlena(old_hex), MakeVarlena(new_hex)};
            bool nulls[] = {false, new_hex.empty()};
            return FormRow(row_type_, values, nulls);
        });
        next_++;
        return true;
    }

  private:
    // The commits of the branch that `onto` does not have, along first parents, oldest first.
    static std::vector<Hash> CommitsToMove(const Branch& branch, const Hash& onto, Snapshot snapshot) {
        CommitTable graph(snapshot);
        std::vector<Hash> commits;
        for (Hash at = branch.head; !IsAncestor(graph, at, onto);) {
            Guarded([] { CHECK_FOR_INTERRUPTS(); });
            commits.push_back(at);
            at = ReadCommit(at, snapshot).parents.at(0);
        }
        std::reverse(commits.begin(), commits.end());
        return commits;
    }

    void Run(std::string_view branch_name, std::string_view onto_ref, const KeyResolver& resolve) {
        const Subject subject = FindSubject(onto_ref, branch_name);
        const std::string author = AuthorName({});
        std::vector<size_t> moved;  // which of old_ became a commit
        const RewritePlan done = RewriteBranch(
            subject.branch.name, [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
                RewritePlan plan;
                moved.clear();
                old_.clear();
                CommitTable graph(snapshot);
                if (IsAncestor(graph, subject.commit, branch.head)) {
                    return plan;
                }
                RefuseUnlessClean(branch, chunks, snapshot, "rebase", &plan);
                old_ = CommitsToMove(branch, subject.commit, snapshot);
                plan.applies = true;
                plan.operation = Operation::kReset;
                plan.reflog_operation = "rebase";
                plan.onto = subject.commit;
                ChangeNumbers unlogged = ChangeNumbers::Unlogged();
                TreePair tip = RootsOf(subject.commit, snapshot);
                const MergeRules rules = {LoadMergePolicies(), resolve, author};
                for (size_t i = 0; i < old_.size(); i++) {
                    const Commit commit = ReadCommit(old_[i], snapshot);
                    RewrittenTrees merged =
                        MergeTrees(chunks, RootsOf(commit.parents.at(0), snapshot), tip,
                                   {commit.data_root, commit.meta_root}, rules, &unlogged);
                    if (!merged.conflicts.empty()) {
                        ThrowConflicts("rebase of commit " + ShortHash(old_[i]), merged.conflicts,
                                       "Use strategy => 'ours' (what onto has) or 'theirs', or kvs.merge().");
                    }
                    if (merged.changed > 0) {
                        tip = merged.roots;
                        plan.commits.push_back({tip, {}, commit.author, commit.message});
                        moved.push_back(i);
                    }
                }
                plan.numbers = ChangeNumbers(DifferMuch(chunks, branch.working, tip));
                plan.working = SwitchTrees(chunks, branch.working, tip, author, &*plan.numbers).roots;
                return plan;
            });
        new_.resize(old_.size());
        for (size_t i = 0; i < moved.size(); i++) {
            new_[moved[i]] = done.made[i];
        }
        if (!done.applies) {
            Guarded([&] { ereport(NOTICE, errmsg("branch \"%s\" is up to date", subject.branch.name)); });
        }
    }

    std::vector<Hash> old_;
    std::vector<std::optional<Hash>> new_;
    size_t next_ = 0;
    TupleDesc row_type_;
};

}  // namespace

// (ref, parent, branch)
KVS_FUNCTION(kvs_revert)
{
    RequireWrite(kRewriteRights, "kvs.revert()");
    const Datum hash =
        HexDatum(Revert(RequiredBytes(fcinfo, 0, "ref"), OptionalInt4(fcinfo, 1), BytesOrEmpty(fcinfo, 2)));
    fcinfo->isnull = hash == 0;
    return hash;
}

// (ref, strategy, branch)
KVS_FUNCTION(kvs_cherry_pick)
{
    RequireWrite(kRewriteRights, "kvs.cherry_pick()");
    const Datum hash = HexDatum(CherryPick(RequiredBytes(fcinfo, 0, "ref"),
                                           RequiredBytes(fcinfo, 1, "strategy"), BytesOrEmpty(fcinfo, 2)));
    fcinfo->isnull = hash == 0;
    return hash;
}

// (ref, mode, branch)
KVS_FUNCTION(kvs_reset)
{
    RequireWrite(kRewriteRights, "kvs.reset()");
    return HexDatum(
        Reset(RequiredBytes(fcinfo, 0, "ref"), RequiredBytes(fcinfo, 1, "mode"), BytesOrEmpty(fcinfo, 2)));
}

// (branch, onto, strategy)
KVS_FUNCTION(kvs_rebase)
{
    RequireWrite(kRewriteRights, "kvs.rebase()");
    return StreamRows<RebaseRows>(fcinfo);
}

// (from_ref, message, branch)
KVS_FUNCTION(kvs_squash)
{
    RequireWrite(kRewriteRights, "kvs.squash()");
    return HexDatum(Squash(RequiredBytes(fcinfo, 0, "from_ref"), RequiredBytes(fcinfo, 1, "message"),
                           BytesOrEmpty(fcinfo, 2)));
}

// (message, branch)
KVS_FUNCTION(kvs_stash)
{
    RequireWrite(kRewriteRights, "kvs.stash()");
    const std::optional<int64> id = StashWork(BytesOrEmpty(fcinfo, 1), BytesOrEmpty(fcinfo, 0));
    if (!id) {
        ereport(NOTICE, errmsg("there is no uncommitted work to put aside"));
        PG_RETURN_NULL();
    }
    PG_RETURN_INT64(*id);
}

// (id)
KVS_FUNCTION(kvs_stash_drop)
{
    RequireWrite(kRewriteRights, "kvs.stash_drop()");
    if (PG_ARGISNULL(0)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("id must not be null"));
    }
    PG_RETURN_BOOL(DropStash(PG_GETARG_INT64(0)));
}

}  // namespace kvs::sqlapi
