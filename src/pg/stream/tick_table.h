// The ticks of the sequencer, _kvs.tick: which positions it has given to which changes.
//
// A position is epoch * 2^48 + n; n is dense within an epoch of _kvs.store, from 1 on. A tick that a snapshot
// shows never changes. Ticks are removed together with the changes that they order (kvs.change_retention),
// but for the last one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pg/wall/server.h"

namespace kvs::pg {

constexpr int kPositionBits = 48;

constexpr int64 FirstPositionOf(int32 epoch) {
    return (int64{epoch} << kPositionBits) + 1;
}
constexpr int32 EpochOfPosition(int64 pos) {
    return static_cast<int32>(pos >> kPositionBits);
}

struct Tick {
    int64 last_pos = 0;
    int64 first_pos = 1;
    int64 low_seq = 1;     // all changes with lower numbers have a position, or will never be committed
    TimestampTz at = 0;    // when it was made
    std::string snapshot;  // of XidSet: whose changes have a position
    std::string items;     // kvs/event/tick.h

    int64 events() const { return last_pos - first_pos + 1; }
};

// The last one; nullopt: there is none.
std::optional<Tick> ReadLastTick(Snapshot snapshot);

// The first one that ends at `pos` or behind it; `items` alone of its texts is filled.
std::optional<Tick> FindTick(Snapshot snapshot, int64 pos);

// Adds it. In a transaction of the sequencer.
void AppendTick(const Tick& tick);

// Removes the first ticks, as long as all of their changes have lower numbers, but never the last tick.
// Returns how many. Errors: PgError, kCorruption.
int64 RemoveTicks(int64 low_seq);

// The number of a change: none below it comes behind the position in the stream. 0 if that is not known.
int64 LowestBehind(int64 pos);

// The position of the last event, 0 if there is none. Server code.
int64 LastPosition(Snapshot snapshot);

}  // namespace kvs::pg
