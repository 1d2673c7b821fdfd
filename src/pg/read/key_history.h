// The revisions of one key on one branch, newest first, down to version 1.
//
// They are followed along the change log: each change names the key's change before it, so the cost is that
// of the key's versions, whatever else was written. A range record is one step like any other: the key is
// looked up in the trees before and after it. Where the log does not reach, because the change was made in
// another log or is no longer kept, history goes on along the commits of the branch, towards the side of each
// merge from which the key's state came; versions that no commit holds are not seen there.
//
// No server resource is held between two calls of Next. Errors: kCorruption, kUnknownRef.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kvs/codec/item.h"
#include "kvs/codec/trace_context.h"
#include "kvs/entry.h"
#include "kvs/hash.h"
#include "kvs/version/commit.h"
#include "pg/chunk/chunk_store.h"
#include "pg/table/change_log.h"
#include "pg/table/change_reader.h"
#include "pg/table/epochs.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class KeyHistory {
  public:
    // Begins with what `branch` holds; without a branch with what the session reads, which kvs.as_of may have
    // set to a moment of the past. Uses the active snapshot.
    KeyHistory(std::string_view key, std::optional<std::string_view> branch);

    // Moves to the next older revision; false after the oldest.
    bool Next();

    // Of the current revision; valid until Next is called again.
    const Metadata& metadata() const { return current_.metadata; }
    Operation operation() const { return operation_; }

    // The trace it was made with, which the log alone tells.
    const std::optional<TraceContext>& trace() const { return trace_; }

    // What the key held; nullptr: it was deleted.
    const DataItem* item() const { return item_ ? &*item_ : nullptr; }

    // The payload of the item, wherever it lies.
    std::string_view LoadPayload();

    // Whether there may have been revisions between the current one and that which Next returned before it,
    // or behind the oldest one once Next has returned false, which are not kept any more: the log's part with
    // them was removed, and no commit has them.
    bool follows_gap() const { return follows_gap_; }

    // The snapshot of the statement, to be set anew in each call of a function that spans several.
    void set_snapshot(Snapshot snapshot);

  private:
    // A state of the key, as trees, working rows and change rows hold it.
    struct State {
        Metadata metadata;
        std::optional<std::string> item;  // encoded
    };

    bool ReadStart(State* state);
    bool FindState(const TreePair& roots, State* state);
    bool FromState(State state);
    bool FromLog(uint64_t seq);
    void NoteMissing(uint64_t seq);
    bool FromRange(const ChangeRow& change);
    bool FromCommits(uint64_t below);
    bool StepDown(const Commit& commit, const Metadata& at);
    void Enter(Operation operation, const std::optional<TraceContext>& trace, State state);
    bool Older();

    std::string key_;
    Snapshot snapshot_;
    ChunkStore chunks_;
    Epochs overlay_{};          // of the working rows that lie on the first state, if any
    TreePair start_;            // of the first state
    std::optional<Hash> walk_;  // commit that the walk along the commits has reached; nullopt: it is over

    bool started_ = false;
    State current_;
    Operation operation_ = Operation::kSet;
    std::optional<TraceContext> trace_;
    std::optional<DataItem> item_;  // decoded from current_
    std::string blob_;

    // Where the revision before the current one is to be looked for.
    uint64_t previous_seq_ = 0;             // in the log; 0: not there
    std::optional<TreePair> before_range_;  // in the trees before a range record
    bool is_removed_ = false;               // in a part of the log that was removed
    bool follows_gap_ = false;

    ChangeReader log_;
};

}  // namespace kvs::pg
