// What the operations that rewrite a branch make of its states, beside a merge: what lies uncommitted on top
// of another commit, another commit's contents, and the log of it. All walk differences in key order; their
// cost is that of the changes, not of the store.
#pragma once

#include <map>
#include <string>

#include "pg/branch/entry_edit.h"
#include "pg/chunk/chunk_store.h"
#include "pg/table/change_log.h"
#include "pg/table/change_numbers.h"

namespace kvs::pg {

// Whether so many keys differ between two states that kvs.bulk_log_threshold asks for a range record.
bool DifferMuch(ChunkStore* chunks, const TreePair& from, const TreePair& to);

constexpr size_t kMaxCollisions = 10;

// Whether a branch that went from one state to the other as it is would give a version to a key that the key
// has had already: where the other state's history decided for a side with a lower version.
bool RewindsVersions(ChunkStore* chunks, const TreePair& from, const TreePair& to);

// What lies uncommitted in `working` over `head`, put on top of `to`, which the operation has made of head.
// A key that differs in both is a collision, and keeps its uncommitted content. Where `to` has changes of
// others they are taken over as they are, but for keys that were written and changed back since head: those
// go on from their own versions. Changes of this operation (with versions above those of `working`) are
// always taken as they are, so that the log holds them.
enum class ChangesOf { kThisOperation, kOthers };
RewrittenTrees CarryOver(ChunkStore* chunks, const TreePair& head, const TreePair& to,
                         const TreePair& working, const std::string& author, ChangeNumbers* numbers,
                         ChangesOf changes_of);

// The contents of `to` for a branch that is at `from`.
RewrittenTrees SwitchTrees(ChunkStore* chunks, const TreePair& from, const TreePair& to,
                           const std::string& author, ChangeNumbers* numbers);

// A state whose contents stay as they are, with versions above those of another where contents differ, and
// none below: for a branch that stands on that state from now on.
TreePair RaiseVersions(ChunkStore* chunks, const TreePair& of, const TreePair& above, ChangeNumbers* numbers);

// Writes the difference of two states to the log, in the numbers that the metadata of `to` has.
void LogRewrite(int32 branch_id, Operation operation, const TreePair& from, const TreePair& to,
                const ChangeNumbers& numbers, const std::map<std::string, int64>& previous,
                Snapshot snapshot);

}  // namespace kvs::pg
