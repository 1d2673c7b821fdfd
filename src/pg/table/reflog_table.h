// The moves of branch heads, _kvs.reflog: each one, so that nothing is lost by a move. A branch is found by
// its name; what a deleted branch of that name did stands behind, so that it can still be found.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/table/branch_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Records that `branch` moved. `from` null: created; `to` null: deleted; `discarded_root`: the data root of
// uncommitted work that was thrown away.
void AppendReflog(const Branch& branch, const Hash* from, const Hash* to, const char* operation,
                  std::string_view author, const Hash* discarded_root = nullptr);

// The moves of the branch go on under another name.
void RenameMoves(int32 branch_id, std::string_view name, std::string_view new_name);

// Where the branch of this name stood `n` moves ago (0: where it stands). nullopt if the log is not that
// long.
std::optional<Hash> ReflogEntry(std::string_view branch, uint64_t n, Snapshot snapshot);

// Where the branch stood at that moment; one of which no move is known stands where it is. nullopt if it did
// not exist yet, or no longer.
std::optional<Hash> ReflogAt(const Branch& branch, TimestampTz moment, Snapshot snapshot);

// Where the last move of this branch led; nullopt if there is none, or it led nowhere.
std::optional<Hash> LastMoveOf(int32 branch_id, std::string_view branch, Snapshot snapshot);

// An address that a move may lack. What is damaged is for its readers to tell.
struct MoveAddress {
    bool is_null;
    std::optional<Hash> hash;  // unset also for what is no address
};

struct Move {
    int64 id;
    int32 branch_id;
    std::string_view branch;  // valid within the call
    MoveAddress from;         // null: the branch was created
    MoveAddress to;           // null: it was deleted
    MoveAddress discarded_root;
    TimestampTz at;
};

// Calls `visit` for each move, the newest first, until it answers false.
void ForEachMove(Snapshot snapshot, const std::function<bool(const Move& move)>& visit);

// Whether moves before that moment say what they discarded.
bool HoldsDiscardedWork(TimestampTz moment);

// Takes collected commits out of the reflog, of whose rows before `moment` one may name them: rows of moves
// to them are deleted, rows of moves away from them forget where they came from, and none says any more what
// it discarded. So the last move of a branch always stays, and tells where the branch stands, or that it is
// gone.
void ForgetMoves(TimestampTz moment, const std::function<bool(const Hash& commit)>& is_collected,
                 Snapshot snapshot);

}  // namespace kvs::pg
