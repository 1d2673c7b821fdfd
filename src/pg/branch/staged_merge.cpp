#include "pg/branch/staged_merge.h"

#include <iterator>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/jsonb_json.h"
#include "pg/wall/lock_timeout.h"
#include "pg/wall/settings.h"

namespace kvs::pg {

namespace {

std::optional<Json> JsonColumn(OwnerQuery* query, int column) {
    if (query->IsNull(column)) {
        return std::nullopt;
    }
    return JsonFromJsonb(query->Bytes(column));
}

bool SameSide(const std::optional<Json>& a, const std::optional<Json>& b) {
    return a.has_value() == b.has_value() && (!a || SameValue(*a, *b));
}

Parameter OptionalJsonb(const std::optional<Json>& value) {
    return value ? Parameter::Of(JSONBOID, JsonbFromJson(*value)) : Parameter::Null(JSONBOID);
}

void InsertConflict(int32 branch_id, const KeyConflict& each) {
    ExecuteAsOwner(
        "INSERT INTO _kvs.conflict (branch_id, key, path, base, ours, theirs, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        {Parameter::Int4(branch_id), Parameter::Text(each.key), Parameter::Text(each.conflict.path),
         OptionalJsonb(each.conflict.base), OptionalJsonb(each.conflict.ours),
         OptionalJsonb(each.conflict.theirs), Parameter::Text(MergeReasonName(each.conflict.reason))});
}

}  // namespace

std::optional<StagedMerge> FindStagedMerge(int32 branch_id, StagedMergeLock lock) {
    std::string sql = "SELECT stash_id, source, source_commit, message FROM _kvs.merge WHERE branch_id = $1";
    if (lock != StagedMergeLock::kNone) {
        sql += lock == StagedMergeLock::kShared ? " FOR SHARE" : " FOR UPDATE";
    }
    const LockTimeoutScope bounded(settings.branch_lock_timeout);
    OwnerQuery row(sql.c_str(), {Parameter::Int4(branch_id)}, true);
    std::optional<StagedMerge> found;
    if (row.Next()) {
        found.emplace();
        found->branch_id = branch_id;
        if (!row.IsNull(1)) {
            found->stash_id = row.Int8(1);
        }
        found->source = row.Bytes(2);
        found->source_commit = *row.Address(3);
        found->message = row.Bytes(4);
    }
    row.Finish();
    return found;
}

void RequireNoStagedMerge(int32 branch_id, std::string_view branch) {
    if (FindStagedMerge(branch_id)) {
        throw Error(ErrorCode::kWrongState, "a merge is staged on branch " + Quoted(branch),
                    "Resolve its conflicts (view kvs.conflicts) and call kvs.merge_continue(), or call "
                    "kvs.merge_abort().");
    }
}

StagedMerge RequireStagedMerge(int32 branch_id, std::string_view branch, StagedMergeLock lock) {
    std::optional<StagedMerge> found = FindStagedMerge(branch_id, lock);
    if (!found) {
        throw Error(ErrorCode::kWrongState, "no merge is staged on branch " + Quoted(branch),
                    "kvs.merge() stages one when it meets conflicts.");
    }
    return *std::move(found);
}

void StageMerge(const StagedMerge& merge, std::string_view branch,
                const std::vector<KeyConflict>& conflicts) {
    const uint64 added = ExecuteAsOwner(
        "INSERT INTO _kvs.merge (branch_id, stash_id, source, source_commit, message, started_by,"
        " started_at) VALUES ($1, $2, $3, $4, $5, session_user, now()) ON CONFLICT DO NOTHING",
        {Parameter::Int4(merge.branch_id),
         merge.stash_id ? Parameter::Int8(*merge.stash_id) : Parameter::Null(INT8OID),
         Parameter::Text(merge.source), Parameter::Address(merge.source_commit),
         Parameter::Text(merge.message)});
    if (added == 0) {
        throw Error(ErrorCode::kWrongState, "a merge is staged on branch " + Quoted(branch),
                    "Call kvs.merge_continue() or kvs.merge_abort().");
    }
    for (const KeyConflict& each : conflicts) {
        InsertConflict(merge.branch_id, each);
    }
}

void NoticeConflicts(const std::vector<KeyConflict>& conflicts, std::string_view branch) {
    const std::string names = NameConflicts(conflicts);
    const std::string name(branch);
    Guarded([&] {
        ereport(
            NOTICE,
            errmsg("the merge is staged: conflicts on branch \"%s\" wait to be resolved", name.c_str()),
            errdetail("%s", names.c_str()),
            errhint("See view kvs.conflicts; decide with kvs.resolve(), then call kvs.merge_continue()."));
    });
}

MergeReport MergeOrStage(const StagedMerge& merge, std::string_view branch_name, const KeyResolver& resolve) {
    MergeSteps steps;
    steps.resolve = resolve;
    steps.before_apply = [&](const Branch& branch, const MergeReport& planned) {
        RequireNoStagedMerge(branch.id, branch.name);
        if (!planned.conflicts.empty()) {
            StageMerge(merge, branch.name, planned.conflicts);
        }
    };
    MergeReport report = MergeInto({branch_name, merge.source_commit, merge.message}, steps);
    if (!report.conflicts.empty()) {
        NoticeConflicts(report.conflicts, branch_name);
    }
    return report;
}

bool DropStagedMerge(int32 branch_id) {
    ExecuteAsOwner("DELETE FROM _kvs.conflict WHERE branch_id = $1", {Parameter::Int4(branch_id)});
    return ExecuteAsOwner("DELETE FROM _kvs.merge WHERE branch_id = $1", {Parameter::Int4(branch_id)}) > 0;
}

StagedResolutions::StagedResolutions(int32 branch_id) : branch_id_(branch_id) {
    Load();
}

bool StagedResolutions::Reload() {
    const auto before = std::move(decisions_);
    decisions_.clear();
    Load();
    return decisions_ != before;
}

void StagedResolutions::Load() {
    OwnerQuery row(
        "SELECT key, path, base, ours, theirs, resolution, value FROM _kvs.conflict "
        "WHERE branch_id = $1 AND resolution IS NOT NULL",
        {Parameter::Int4(branch_id_)}, true);
    while (row.Next()) {
        Decision decision;
        std::pair<std::string, std::string> place(row.Bytes(1), row.Bytes(2));
        decision.seen.base = JsonColumn(&row, 3);
        decision.seen.ours = JsonColumn(&row, 4);
        decision.seen.theirs = JsonColumn(&row, 5);
        decision.resolution.kind = ParseResolution(row.Bytes(6));
        if (std::optional<Json> value = JsonColumn(&row, 7)) {
            decision.resolution.value = *std::move(value);
        }
        decisions_.emplace(std::move(place), std::move(decision));
    }
    row.Finish();
}

KeyResolver StagedResolutions::Resolver() {
    return [this](std::string_view key, const MergeConflict& conflict) -> std::optional<Resolution> {
        const std::pair<std::string, std::string> place(key, conflict.path);
        const auto found = decisions_.find(place);
        if (found == decisions_.end()) {
            return std::nullopt;
        }
        const Decision& decision = found->second;
        const bool holds = SameSide(decision.seen.base, conflict.base) &&
                           SameSide(decision.seen.theirs, conflict.theirs) &&
                           (decision.resolution.kind == Resolution::Kind::kOurs ||
                            SameSide(decision.seen.ours, conflict.ours));
        if (!holds) {
            return std::nullopt;
        }
        used_.insert(place);
        return decision.resolution;
    };
}

void StagedResolutions::Restage(const std::vector<KeyConflict>& left) {
    ExecuteAsOwner("DELETE FROM _kvs.conflict WHERE branch_id = $1 AND resolution IS NULL",
                   {Parameter::Int4(branch_id_)});
    for (const auto& each : decisions_) {
        const std::pair<std::string, std::string>& place = each.first;
        if (used_.contains(place)) {
            continue;
        }
        ExecuteAsOwner(
            "DELETE FROM _kvs.conflict WHERE branch_id = $1 AND key = $2 AND path = $3",
            {Parameter::Int4(branch_id_), Parameter::Text(place.first), Parameter::Text(place.second)});
    }
    for (const KeyConflict& each : left) {
        InsertConflict(branch_id_, each);
    }
}

Resolution::Kind ParseResolution(std::string_view text) {
    if (text == "ours") {
        return Resolution::Kind::kOurs;
    }
    if (text == "theirs") {
        return Resolution::Kind::kTheirs;
    }
    if (text == "base") {
        return Resolution::Kind::kBase;
    }
    if (text == "delete") {
        return Resolution::Kind::kDelete;
    }
    if (text == "value") {
        return Resolution::Kind::kValue;
    }
    throw Error(ErrorCode::kInvalidArgument, "unknown resolution " + Quoted(text),
                "Use ours, theirs, base, delete or value.");
}

}  // namespace kvs::pg
