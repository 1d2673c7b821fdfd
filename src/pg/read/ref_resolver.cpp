#include "pg/read/ref_resolver.h"

#include <optional>
#include <string>
#include <vector>

#include "kvs/util/quote.h"
#include "kvs/version/ref.h"
#include "pg/table/commit_table.h"
#include "pg/table/reflog_table.h"
#include "pg/table/remote_table.h"
#include "pg/table/table_access.h"
#include "pg/table/tag_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

[[noreturn]] void ThrowUnknown(std::string_view text, const std::string& detail = {}) {
    throw Error(ErrorCode::kUnknownRef, "unknown ref " + Quoted(text),
                "A ref is HEAD, WORKING, a branch, a tag or a commit hash, followed by ~n, ^n or @{...}.",
                detail);
}

Hash ResolveHash(const Ref& ref, std::string_view text, Snapshot snapshot) {
    const std::vector<Hash> found = FindCommits(ref.name, snapshot);
    if (found.empty()) {
        ThrowUnknown(text, "No commit has a hash that begins with " + Quoted(ref.name) + ".");
    }
    if (found.size() > 1) {
        ThrowUnknown(text, "Several commits have a hash that begins with " + Quoted(ref.name) + ".");
    }
    return found[0];
}

// A timestamp, or an interval that ends in "ago", counted back from the statement's start. Server code.
TimestampTz ParseMoment(const std::string& text) {
    const auto input = [&](PGFunction read) {
        return DirectFunctionCall3(read, CStringGetDatum(text.c_str()), ObjectIdGetDatum(InvalidOid),
                                   Int32GetDatum(-1));
    };
    if (!text.ends_with(" ago")) {
        return DatumGetTimestampTz(input(timestamptz_in));
    }
    const Datum now = TimestampTzGetDatum(GetCurrentStatementStartTimestamp());
    return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, now, input(interval_in)));
}

// The errors by which the server says that a text is no moment are one here.
TimestampTz MomentOf(const std::string& text) {
    const auto refuse = [&] {
        throw Error(ErrorCode::kInvalidArgument, Quoted(text) + " is not a moment",
                    "Between @{ and } stands a number of moves, a timestamp, or an interval such as "
                    "2 hours ago.");
    };
    const auto parse = [&] { return ParseMoment(text); };
    const auto in_range = [&] {
        return GuardedTranslating(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, parse, refuse);
    };
    const auto as_interval = [&] {
        return GuardedTranslating(ERRCODE_INTERVAL_FIELD_OVERFLOW, in_range, refuse);
    };
    return GuardedTranslating(ERRCODE_INVALID_DATETIME_FORMAT, as_interval, refuse);
}

// Where `branch` stood, as the text between @{ and } says.
Hash ResolveMove(const RefStep& step, const Branch& branch, std::string_view text, Snapshot snapshot) {
    std::optional<Hash> hash;
    if (step.kind == RefStep::Kind::kReflogEntry) {
        hash = step.number == 0 ? branch.head : ReflogEntry(branch.name, step.number, snapshot);
    } else {
        hash = ReflogAt(branch, MomentOf(step.moment), snapshot);
    }
    if (!hash) {
        ThrowUnknown(text, "The reflog of branch " + Quoted(branch.name) + " does not reach back that far.");
    }
    return *hash;
}

// The step from a commit that was read under the snapshot.
Hash ApplyStep(const Hash& commit, const RefStep& step, std::string_view text, Snapshot snapshot) {
    if (step.kind == RefStep::Kind::kAncestor) {
        uint64_t steps = step.number;
        const Hash at = AncestorAlongFirstParents(commit, &steps, snapshot);
        if (steps > 0) {
            ThrowUnknown(text, "Commit " + at.ToHex() + " has no parent.");
        }
        return at;
    }
    if (step.number == 0) {
        return commit;
    }
    const CommitRef read = ReadAncestor(commit, snapshot);
    const size_t count = read->parents.size();
    if (step.number > count) {
        ThrowUnknown(text, "Commit " + commit.ToHex() + " has " +
                               (count == 0   ? "no parent."
                                : count == 1 ? "one parent."
                                             : std::to_string(count) + " parents."));
    }
    return read->parents[step.number - 1];
}

}  // namespace

// A ref is read from left to right: what it begins with, then at most one move, then steps to ancestors.
//
//     main@{2}~3^2     the branch main, where it stood two moves ago, three first parents up, the second
//     parent
//
// A move asks the reflog of a branch, so it stands behind a branch only. A name is a branch before it is a
// tag, and a tag before it is a branch of a remote.
ResolvedRef ResolveRef(std::string_view text, std::string_view branch_name, Snapshot snapshot) {
    const Ref ref = ParseRef(text).OrThrow();
    ResolvedRef resolved = {};
    auto step = ref.steps.begin();
    const bool has_move = step != ref.steps.end() &&
                          (step->kind == RefStep::Kind::kReflogEntry || step->kind == RefStep::Kind::kMoment);
    std::optional<Branch> branch;
    switch (ref.base) {
        case Ref::Base::kWorking:
            resolved.is_working = true;
            resolved.branch = FindBranch(branch_name, snapshot);
            resolved.roots = resolved.branch.working;
            return resolved;
        case Ref::Base::kHead:
        case Ref::Base::kSession:
            branch = FindBranch(branch_name, snapshot);
            break;
        case Ref::Base::kName: {
            Branch found;
            if (TryFindBranch(ref.name, snapshot, &found)) {
                branch = found;
                break;
            }
            const std::optional<Hash> tag = FindTag(ref.name, snapshot);
            const std::optional<Hash> named = tag ? tag : FindRemoteRef(ref.name, snapshot);
            if (!named) {
                ThrowUnknown(text, "There is no branch or tag " + Quoted(ref.name) + ".");
            }
            if (has_move) {
                ThrowUnknown(text, Quoted(ref.name) + " is a " + (tag ? "tag" : "branch of a remote") +
                                       "; only a branch has a reflog.");
            }
            resolved.commit = *named;
            break;
        }
        case Ref::Base::kHash:
            resolved.commit = ResolveHash(ref, text, snapshot);
            break;
    }
    if (branch) {
        resolved.commit = has_move ? ResolveMove(*step++, *branch, text, snapshot) : branch->head;
    }
    // What the ref begins with is looked up; from there on it goes by ancestors.
    Commit commit = ReadCommit(resolved.commit, snapshot);
    if (step != ref.steps.end()) {
        for (; step != ref.steps.end(); ++step) {
            resolved.commit = ApplyStep(resolved.commit, *step, text, snapshot);
        }
        commit = *ReadAncestor(resolved.commit, snapshot);
    }
    resolved.roots = {commit.data_root, commit.meta_root};
    resolved.committed_at = commit.committed_at;
    return resolved;
}

Hash ResolveCommit(std::string_view text, std::string_view branch, Snapshot snapshot) {
    const ResolvedRef ref = ResolveRef(text, branch, snapshot);
    if (ref.is_working) {
        throw Error(ErrorCode::kWrongState, "WORKING is not a commit", "Commit first, or use HEAD.");
    }
    return ref.commit;
}

}  // namespace kvs::pg
