// For each living key of a state the commit that last changed its value: the youngest one, going back from
// the state, that no parent agrees with on the value. At a merge a key goes on to the first parent that has
// the same value. Only the value counts: not its version, tags or expiry, nor that it was written again as it
// was. What is not committed is blamed on no commit.
//
// Works on batches of keys in key order, so memory is that of a batch (at most half of work_mem) and the
// first rows come before the last keys are read. For each batch the commits are walked back, each after all
// its children, until every key is found; a commit costs the difference of its data tree from its parent's
// within the batch, of which parts without keys that are still looked for are skipped. So one key costs a few
// nodes for each commit back to the one that changed it, and all keys cost the changes of the history once,
// and its commits once for each batch.
//
// No server resource is held between two calls of Next. Errors: kCorruption.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kvs/hash.h"
#include "kvs/pattern/pattern.h"
#include "pg/chunk/chunk_store.h"
#include "pg/read/pattern_scan.h"
#include "pg/read/ref_resolver.h"
#include "pg/read/view_diff.h"
#include "pg/table/commit_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class Blame {
  public:
    struct BlamedCommit {
        Hash hash;
        std::string author;
        std::string message;
        Timestamp committed_at;
    };

    // The keys of `ref` that match. `scratch` is a memory context that outlives this and is reset often.
    Blame(const ResolvedRef& ref, const Pattern& pattern, Snapshot snapshot, MemoryContext scratch);
    Blame(const Blame&) = delete;
    Blame& operator=(const Blame&) = delete;

    // Moves to the next key; false after the last.
    bool Next();

    // Of the current key; valid until Next is called again.
    const std::string& key() const { return batch_[current_].key; }
    // Null if the value is not committed.
    const BlamedCommit* commit() const { return batch_[current_].commit; }
    // That the key got with this value.
    uint64_t version() const { return batch_[current_].version; }

    // The snapshot of the statement, to be set anew in each call of a function that spans several.
    void set_snapshot(Snapshot snapshot);

  private:
    struct BlamedKey {
        std::string key;
        uint64_t version;
        const BlamedCommit* commit;
    };

    // Indexes into batch_, ascending, and so are the keys.
    using Keys = std::vector<uint32_t>;

    // A commit that has the value of these keys, perhaps from a parent.
    struct SuspectCommit {
        CommitRef commit;
        Keys keys;
    };

    bool Fill();
    bool IsUncommitted(const std::string& key);
    void Suspect(const Hash& hash, CommitRef commit, Keys keys);
    void Examine(const Hash& hash, SuspectCommit suspect);
    Keys TakeChanged(const Hash& parent_root, const Hash& root, Keys* keys);
    void Convict(const Hash& hash, const Commit& commit, const Keys& keys);

    Snapshot snapshot_;
    MemoryContext scratch_;
    ChunkStore chunks_;
    PatternScan scan_;
    Hash start_;  // the commit that the state is, or lies over

    // Uncommitted changes of the state, with the one that comes next; none: the state is a commit.
    std::optional<ViewDiff> uncommitted_;
    bool more_uncommitted_ = false;

    size_t batch_size_;  // keys
    std::vector<BlamedKey> batch_;
    size_t current_ = 0;
    std::deque<BlamedCommit> commits_;  // that batch_ refers to
    // By generation, so that a commit is examined when all its children were.
    std::map<std::pair<uint64_t, Hash>, SuspectCommit> suspects_;
};

}  // namespace kvs::pg
