// New trees out of old ones, for the operations that rewrite a branch: what one side changed since a base is
// put into another side's trees.
//
// All three walk the difference between `base` and `theirs` in key order and edit the trees of `ours`, so
// their cost is that of the changes, not of the store. Versions never rewind: a key whose content changes
// gets a version above ours', or that of theirs where it continues ours'. And no commit has a lower version
// of a key than one of its parents, nor the same one with another content: a key may get a new version only
// for that.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kvs/entry.h"
#include "kvs/merge/document_merge.h"
#include "kvs/merge/merge_policy.h"
#include "pg/change_log.h"
#include "pg/chunk_store.h"

namespace kvs::pg {

// The numbers that an operation's changes get in the log: one each if they are few, else one for all of them.
class ChangeNumbers {
  public:
    // `one_for_all`: the operation will be a range record.
    explicit ChangeNumbers(bool one_for_all);

    // For entries of commits that no branch's working state goes through, as when commits are copied one on
    // top of the other: names of their own, which lead to no log.
    static ChangeNumbers Unlogged();

    ChangeId Next();
    bool is_range() const { return is_range_; }
    int64 range_seq() const { return range_seq_; }
    const LogId& log() const { return log_; }

  private:
    ChangeNumbers() = default;

    LogId log_;
    bool is_range_ = false;
    int64 range_seq_ = 0;
    int64 unlogged_seq_ = -1;  // the last one given; -1: numbers are those of the log
};

// Whether so many keys differ between two states that kvs.bulk_log_threshold asks for a range record.
bool DifferMuch(ChunkStore* chunks, const RootPair& from, const RootPair& to);

struct KeyConflict {
    std::string key;
    MergeConflict conflict;
};

struct RewrittenTrees {
    RootPair roots;
    int64 changed = 0;                      // keys whose content is not that of `ours`
    std::vector<KeyConflict> conflicts;     // of MergeTrees; in the order of keys and paths
    std::vector<std::string> collisions;    // of CarryOver; at most kMaxCollisions
    std::map<std::string, int64> previous;  // the change before, where it is theirs' and not ours'
};

constexpr size_t kMaxCollisions = 10;

// Decides conflicts, key by key; an empty function leaves them all.
using KeyResolver = std::function<std::optional<Resolution>(std::string_view key, const MergeConflict&)>;

struct MergeRules {
    MergePolicies policies = {};
    KeyResolver resolve = {};
    std::string author = {};  // who has written what comes out of two changes of one key
    bool keeps_authors =
        true;  // who wrote what is taken from theirs, and when, comes along; else `author`, now
    // Versions come out above those that this state has, too: a working state that will take over what
    // changes.
    std::optional<RootPair> above = std::nullopt;
    // theirs' commit descends from the base's: its versions continue those of the base, so that what ours
    // left alone can be taken over as it is.
    bool continues_base = false;
};

// Three-way merge: ours with what theirs changed since base. Where a conflict stays, ours is kept. A merge
// that will be a range record takes over what theirs alone changed as it is, whole subtrees unvisited, if the
// rules allow it (docs/decisions/0016-subtrees-are-taken-over.md).
RewrittenTrees MergeTrees(ChunkStore* chunks, const RootPair& base, const RootPair& ours,
                          const RootPair& theirs, const MergeRules& rules, ChangeNumbers* numbers);

// The conflicts that a merge would leave; writes nothing.
std::vector<KeyConflict> FindConflicts(ChunkStore* chunks, const RootPair& base, const RootPair& ours,
                                       const RootPair& theirs, const MergePolicies& policies);

// Whether a branch that went from one state to the other as it is would give a version to a key that the key
// has had already: where the other state's history decided for a side with a lower version.
bool RewindsVersions(ChunkStore* chunks, const RootPair& from, const RootPair& to);

// What lies uncommitted in `working` over `head`, put on top of `to`, which the operation has made of head.
// A key that differs in both is a collision, and keeps its uncommitted content. Where `to` has changes of
// others they are taken over as they are, but for keys that were written and changed back since head: those
// go on from their own versions. Changes of this operation (with versions above those of `working`) are
// always taken as they are, so that the log holds them.
enum class ChangesOf { kThisOperation, kOthers };
RewrittenTrees CarryOver(ChunkStore* chunks, const RootPair& head, const RootPair& to,
                         const RootPair& working, const std::string& author, ChangeNumbers* numbers,
                         ChangesOf changes_of);

// The contents of `to` for a branch that is at `from`.
RewrittenTrees SwitchTrees(ChunkStore* chunks, const RootPair& from, const RootPair& to,
                           const std::string& author, ChangeNumbers* numbers);

// A state whose contents stay as they are, with versions above those of another where contents differ, and
// none below: for a branch that stands on that state from now on.
RootPair RaiseVersions(ChunkStore* chunks, const RootPair& of, const RootPair& above, ChangeNumbers* numbers);

// Whether two states have the same entries: values, expiry, tags and schemas; versions and times do not
// count.
bool SameContents(ChunkStore* chunks, const RootPair& a, const RootPair& b);

// Writes the difference of two states to the log, in the numbers that the metadata of `to` has.
void LogRewrite(int32 branch_id, Operation operation, const RootPair& from, const RootPair& to,
                const ChangeNumbers& numbers, const std::map<std::string, int64>& previous,
                Snapshot snapshot);

}  // namespace kvs::pg
