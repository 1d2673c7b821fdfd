// The events of the stream, in order, from a position on.
//
// A change of a key is one event; a range record is as many as its roots differ in keys, which are read along
// the difference of its trees, from the way-point before the position on (kvs/event/tick.h).
//
// Tables stay open from one event to the next: to be closed on the normal way out. Errors: kPositionGone,
// kPositionUnknown, kCorruption.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/codec/item.h"
#include "kvs/event/tick.h"
#include "kvs/pattern/pattern.h"
#include "kvs/tree/diff.h"
#include "pg/chunk/chunk_store.h"
#include "pg/stream/tick_table.h"
#include "pg/table/change_log.h"
#include "pg/table/change_reader.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Changes of keys, by the branch.
using ChangeCounts = std::map<int32, int64>;

// Which events are wanted; all if nothing is set.
struct EventFilter {
    std::optional<int32> branch;
    std::optional<Pattern> pattern;
    bool expiring = false;           // those alone that leave an entry with an end
    ChangeCounts* counts = nullptr;  // adds to it what is read, wanted or not, but for range records
};

// What the key held before an event. kUnavailable: that was not kept.
enum class OldValue { kNone, kThere, kUnavailable };

class EventReader {
  public:
    // Of the events behind the position `after`; 0: from the beginning. Errors where nobody can tell which
    // those are.
    EventReader(int64 after, EventFilter filter, Snapshot snapshot);

    // Moves to the next wanted event; false if there is none under the snapshot. It may be called again then,
    // with a newer one. Does not go on from `last` or behind it, so that a long way can be gone in parts.
    bool Next(int64 last = PG_INT64_MAX);

    // Passes over all up to `pos`, for the most part without reading them.
    void SkipTo(int64 pos);

    // Up to where has been read: the position of the current event, or of the last one that was not wanted.
    int64 pos() const { return pos_; }

    // Of the current event; valid until Next is called again.
    uint64 xid() const { return row_.xid; }
    int64 seq() const { return row_.IsRange() ? 0 : row_.seq; }  // 0: that of a range record, of many events
    int64 prev_seq() const { return row_.prev_seq; }             // the key's change before; 0: not known
    int32 branch_id() const { return row_.branch_id; }
    Operation operation() const { return row_.operation; }
    std::string_view origin() const { return OriginOf(row_); }  // empty: none
    const std::optional<TraceContext>& trace() const { return row_.trace; }
    std::string_view key() const { return key_; }
    const Metadata& metadata() const { return metadata_; }
    const DataItem* item() const { return item_ ? &*item_ : nullptr; }  // nullptr: deleted
    std::string_view LoadPayload();

    // Looks for what the key held before. The item and its payload are valid until Next is called again.
    OldValue LoadOld();
    const DataItem* old_item() const { return old_item_ ? &*old_item_ : nullptr; }
    std::string_view LoadOldPayload();

    // Gives back what is held. It may be gone on with.
    void Close();

    // The snapshot of the statement, to be set anew in each call of a function that spans several. Closed.
    void set_snapshot(Snapshot snapshot);

  private:
    bool OpenTick();
    bool NextItem();
    void OpenRange();
    bool NextOfRange();
    bool Take(std::string_view key, std::string_view meta);
    void ReadRow(int64 seq);
    [[noreturn]] void ThrowMissing(int64 seq);
    std::optional<std::string> DataOf(const TreePair& roots);

    int64 pos_;
    EventFilter filter_;
    Snapshot snapshot_;
    ChunkStore chunks_;

    Tick tick_;                        // whose events are read
    std::optional<TickReader> items_;  // what comes in it; none: the tick behind pos_ is to be looked for
    std::optional<DiffCursor> range_;  // the rest of the range record that row_ is
    uint64_t skip_ = 0;                // events of the tick that come before those that are wanted

    TickItem tick_item_;
    ChangeRow row_;
    std::string key_;
    Metadata metadata_;
    std::string encoded_item_;
    std::optional<DataItem> item_;
    std::string blob_;
    std::string encoded_old_;
    std::optional<DataItem> old_item_;
    std::string old_blob_;

    ChangeReader log_;
    ChangeReader log_before_;    // for what keys held before, which may lie anywhere
    MemoryContext row_context_;  // of row_
};

}  // namespace kvs::pg
