#include "pg/branch/staged_merge.h"

#include <iterator>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/table/owner_query.h"
#include "pg/table/owner_scope.h"
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

Datum OptionalJsonb(const std::optional<Json>& value) {
    return value ? JsonbFromJson(*value) : Datum{0};
}

void InsertConflict(int32 branch_id, const KeyConflict& each) {
    Oid types[] = {INT4OID, TEXTOID, TEXTOID, JSONBOID, JSONBOID, JSONBOID, TEXTOID};
    Datum values[std::size(types)];
    values[3] = OptionalJsonb(each.conflict.base);
    values[4] = OptionalJsonb(each.conflict.ours);
    values[5] = OptionalJsonb(each.conflict.theirs);
    Guarded([&] {
        values[0] = Int32GetDatum(branch_id);
        values[1] = MakeVarlena(each.key);
        values[2] = MakeVarlena(each.conflict.path);
        values[6] = MakeVarlena(MergeReasonName(each.conflict.reason));
    });
    std::string nulls(std::size(types), ' ');
    for (size_t i = 3; i <= 5; i++) {
        nulls[i] = DatumGetPointer(values[i]) == nullptr ? 'n' : ' ';
    }
    ExecuteAsOwner(
        "INSERT INTO _kvs.conflict (branch_id, key, path, base, ours, theirs, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        std::size(types), types, values, nulls.c_str());
}

uint64 ExecuteForBranch(const char* sql, int32 branch_id) {
    Oid types[] = {INT4OID};
    Datum values[] = {Int32GetDatum(branch_id)};
    return ExecuteAsOwner(sql, 1, types, values, " ");
}

}  // namespace

std::optional<StagedMerge> FindStagedMerge(int32 branch_id, StagedMergeLock lock) {
    Oid types[] = {INT4OID};
    Datum values[] = {Int32GetDatum(branch_id)};
    std::string sql = "SELECT stash_id, source, source_commit, message FROM _kvs.merge WHERE branch_id = $1";
    if (lock != StagedMergeLock::kNone) {
        sql += lock == StagedMergeLock::kShared ? " FOR SHARE" : " FOR UPDATE";
    }
    const LockTimeoutScope bounded(settings.branch_lock_timeout);
    OwnerQuery row(sql.c_str(), 1, types, values, true);
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
    Oid types[] = {INT4OID, INT8OID, TEXTOID, BYTEAOID, TEXTOID};
    Datum values[std::size(types)];
    Guarded([&] {
        values[0] = Int32GetDatum(merge.branch_id);
        values[1] = Int64GetDatum(merge.stash_id.value_or(0));
        values[2] = MakeVarlena(merge.source);
        values[3] = HashDatum(merge.source_commit);
        values[4] = MakeVarlena(merge.message);
    });
    const uint64 added = ExecuteAsOwner(
        "INSERT INTO _kvs.merge (branch_id, stash_id, source, source_commit, message, started_by,"
        " started_at) VALUES ($1, $2, $3, $4, $5, session_user, now()) ON CONFLICT DO NOTHING",
        std::size(types), types, values, merge.stash_id ? "     " : " n   ");
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
    ExecuteForBranch("DELETE FROM _kvs.conflict WHERE branch_id = $1", branch_id);
    return ExecuteForBranch("DELETE FROM _kvs.merge WHERE branch_id = $1", branch_id) > 0;
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
    Oid types[] = {INT4OID};
    Datum values[] = {Int32GetDatum(branch_id_)};
    OwnerQuery row(
        "SELECT key, path, base, ours, theirs, resolution, value FROM _kvs.conflict "
        "WHERE branch_id = $1 AND resolution IS NOT NULL",
        1, types, values, true);
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
    Oid types[] = {INT4OID, TEXTOID, TEXTOID};
    Datum values[std::size(types)];
    values[0] = Int32GetDatum(branch_id_);
    ExecuteForBranch("DELETE FROM _kvs.conflict WHERE branch_id = $1 AND resolution IS NULL", branch_id_);
    for (const auto& each : decisions_) {
        const std::pair<std::string, std::string>& place = each.first;
        if (used_.contains(place)) {
            continue;
        }
        Guarded([&] {
            values[1] = MakeVarlena(place.first);
            values[2] = MakeVarlena(place.second);
        });
        ExecuteAsOwner("DELETE FROM _kvs.conflict WHERE branch_id = $1 AND key = $2 AND path = $3",
                       std::size(types), types, values, "   ");
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
