#include "pg/stream/position.h"

#include <string>

#include "kvs/event/tick.h"
#include "pg/stream/tick_table.h"
#include "pg/table/change_members.h"
#include "pg/table/owner_query.h"
#include "pg/table/table_access.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

constexpr int kPosColumn = 1;
constexpr int kFirstPosColumn = 2;

// What the ticks say of a position. Server code.
struct Surroundings {
    int64 oldest;         // the first position that is kept; 0: there is no tick
    int64 last;           // the last one
    int64 last_of_epoch;  // the last one that is kept of the position's epoch and those before it; 0: none
    bool was_trimmed;     // there were positions before `oldest`
};

Surroundings Survey(int64 pos, Snapshot snapshot) {
    Surroundings found = {};
    Table table = OpenForRead(Object::kTick, Object::kTickPkey);
    if (Lookup(&table, snapshot, nullptr, 0)) {
        found.oldest = DatumGetInt64(table.Get(kFirstPosColumn));
    }
    if (Lookup(&table, snapshot, nullptr, 0, BackwardScanDirection)) {
        found.last = DatumGetInt64(table.Get(kPosColumn));
    }
    ScanKeyData key;
    KeyInt8(&key, kPosColumn, FirstPositionOf(EpochOfPosition(pos) + 1), BTLessStrategyNumber);
    if (Lookup(&table, snapshot, &key, 1, BackwardScanDirection)) {
        found.last_of_epoch = DatumGetInt64(table.Get(kPosColumn));
    }
    Close(&table);
    // Ticks go with the changes that they order. Where the first of all is there, none has gone, whatever
    // became of changes from before there was a stream.
    found.was_trimmed = found.oldest != FirstPositionOf(1) && ReadChangeMembers(snapshot).low_seq > 0;
    return found;
}

}  // namespace

void CheckPosition(int64 after) {
    if (after < 0) {
        throw Error(ErrorCode::kInvalidArgument, "a position of the stream must not be negative");
    }
    // The position may be newer than the snapshot of a transaction that goes on for long.
    Snapshot latest = RegisterLatestSnapshot();
    const Surroundings found = Guarded([&] { return Survey(after, latest); });
    ReleaseSnapshot(latest);
    // A replica may not have come so far yet.
    const bool is_replica = RecoveryInProgress();
    if (after > found.last_of_epoch && (after < found.last || !is_replica) &&
        (after >= found.oldest || !found.was_trimmed)) {
        if (after == 0 || after == FirstPositionOf(EpochOfPosition(after)) - 1) {
            return;
        }
        throw Error(
            ErrorCode::kPositionUnknown,
            "position " + std::to_string(after) + " is not of the history of this store",
            "It comes from another store, or from a server that had gone on when this one was made of a "
            "replica or a backup. Compare the state, and go on from kvs.position().",
            "The last position that both can have is " + std::to_string(found.last_of_epoch) + ".");
    }
    if (found.was_trimmed && after + 1 < found.oldest) {
        throw PositionGone(after, found.oldest);
    }
}

// Ticks are removed after the changes that they order, so the first ones may lack some.
int64 StartOfStream(Snapshot snapshot) {
    const int64 low_seq = Guarded([&] { return ReadChangeMembers(snapshot).low_seq; });
    int64 pos = 0;
    for (std::optional<Tick> tick = FindTick(snapshot, 0); tick; tick = FindTick(snapshot, pos + 1)) {
        if (static_cast<int64>(NumbersOf(tick->items).OrThrow().lowest) >= low_seq) {
            return tick->first_pos - 1;
        }
        pos = tick->last_pos;
    }
    return pos;
}

int64 PositionBefore(TimestampTz moment) {
    OwnerQuery row("SELECT coalesce(max(last_pos), 0) FROM _kvs.tick WHERE at < $1",
                   {Parameter::Time(moment)}, true);
    row.Next();
    const int64 pos = row.Int8(1);
    row.Finish();
    return pos;
}

Error PositionGone(int64 after, int64 oldest) {
    return {ErrorCode::kPositionGone,
            "events behind position " + std::to_string(after) + " are no longer available",
            "Read the state itself, and go on from a position not before " + std::to_string(oldest - 1) + ".",
            "The oldest position that is kept is " + std::to_string(oldest) +
                "; kvs.change_retention says for how long."};
}

}  // namespace kvs::pg
