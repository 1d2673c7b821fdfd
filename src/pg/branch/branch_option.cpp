#include "pg/branch/branch_option.h"

#include <optional>
#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/branch/ref_edit.h"
#include "pg/table/branch_table.h"
#include "pg/table/locks.h"
#include "pg/table/stream_signal.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"
#include "pg/write/autocommit.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace kvs::pg {

namespace {

constexpr double kShortestInterval = USECS_PER_SEC;
constexpr double kLongestInterval = 366.0 * USECS_PER_DAY;

// In microseconds; nullopt: that is none, or one that is too short or too long.
std::optional<int64> ParseInterval(std::string_view text) {
    try {
        const double length = Guarded([&] {
            const Datum datum =
                DirectFunctionCall3(interval_in, CStringGetDatum(pnstrdup(text.data(), text.size())),
                                    ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
            const Interval* interval = DatumGetIntervalP(datum);
            return static_cast<double>(interval->time) +
                   (static_cast<double>(interval->day) + 30.0 * interval->month) * USECS_PER_DAY;
        });
        return length >= kShortestInterval && length <= kLongestInterval
                   ? std::optional<int64>(static_cast<int64>(length))
                   : std::nullopt;
    } catch (const PgError& error) {
        if (ERRCODE_TO_CATEGORY(error.data()->sqlerrcode) != ERRCODE_DATA_EXCEPTION) {
            throw;
        }
        return std::nullopt;
    }
}

int64 ParseAutocommit(std::string_view setting) {
    if (setting == "off") {
        return kAutocommitOff;
    }
    if (setting == "transaction") {
        return kAutocommitTransaction;
    }
    if (const std::optional<int64> interval = ParseInterval(setting)) {
        return *interval;
    }
    throw Error(
        ErrorCode::kInvalidArgument, "invalid setting for branch option \"autocommit\": " + Quoted(setting),
        "Valid settings are off, transaction, and an interval of 1 second to 366 days, as '5 minutes'.");
}

}  // namespace

bool SetBranchOption(std::string_view name, std::string_view option, std::string_view setting) {
    if (option != "autocommit") {
        throw Error(ErrorCode::kInvalidArgument, "branch option " + Quoted(option) + " does not exist",
                    "Valid options are: autocommit.");
    }
    const int64 autocommit = ParseAutocommit(setting);
    BeginRefEdit();
    Snapshot before = RegisterOperationSnapshot();
    const Branch seen = FindNamedBranch(name, before);
    ReleaseSnapshot(before);
    LockBranchBounded(seen.id, seen.name, ShareRowExclusiveLock);
    Snapshot snapshot = RegisterLatestSnapshot();
    Branch branch;
    Guarded([&] { RequireBranch(seen.id, snapshot, &branch); });
    const bool is_other = branch.autocommit != autocommit;
    if (is_other) {
        if (Guarded([] { return IsolationUsesXactSnapshot(); }) &&
            branch.epochs.current() != seen.epochs.current()) {
            throw CouldNotSerialize("a concurrent change of branch " + Quoted(branch.name));
        }
        branch.autocommit = autocommit;
        constexpr bool kKeepAll[Epochs::kRoom] = {};
        BeginEpoch(&branch, kKeepAll);
        MoveBranch(branch, snapshot, nullptr);
    }
    ReleaseSnapshot(snapshot);
    if (is_other) {
        Guarded([&] {
            if (autocommit == kAutocommitTransaction) {
                NoteAutocommit(branch.id, std::nullopt);
            }
            // The maintenance worker hears of it by the one, and is woken by the other.
            ForgetBranchNames();
            NoteChanges();
        });
    }
    return is_other;
}

}  // namespace kvs::pg
