// What has come into use since a mark: found between the mark and the deletion of what it took for garbage.
//
// Whatever makes a reference either was committed before the mark's snapshot, or has written its row, and
// each new chunk's and commit's row, by a transaction that was not over then: by the server's transaction
// numbers new rows are told from old ones. So from each new root one goes down until a row that is old and no
// candidate: the mark has found it live, with all that lies below.
#pragma once

#include <unordered_set>

#include "kvs/hash.h"
#include "pg/chunk/stored_chunks.h"
#include "pg/upkeep/garbage.h"
#include "pg/upkeep/gc_roots.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class LateRoots {
  public:
    // `marked`: the snapshot of the mark; what is needed of it is copied.
    LateRoots(const Garbage* garbage, TimestampTz reflog_since, Snapshot marked);

    // Looks at everything that was written since the mark; what an earlier call has seen costs no more than
    // the look-up of its root. `snapshot` is registered and active; whoever is about to delete holds the lock
    // against builders and has taken it after the lock. False: more was met than may be remembered, and a new
    // mark is needed. Errors: kCorruption.
    bool Walk(Snapshot snapshot);

    // Whether a candidate has come into use.
    bool IsInUse(const Hash& address) const {
        return met_.contains(address) || met_as_data_.contains(address);
    }

    // Whether one whose address begins like this has, as a member of a pack may be.
    bool IsPrefixInUse(int64 prefix) const { return met_prefixes_.contains(prefix); }

  private:
    void Meet(std::unordered_set<Hash, HashOfHash>* met, const Hash& address);
    void WalkCommits(const Hash& tip);
    void WalkTree(Root::Kind kind, const Hash& root);
    bool IsNewCommit(const Hash& commit) const;
    bool WasMarked(TransactionId inserter) const;
    bool IsFull() const;

    const Garbage* garbage_;
    TimestampTz reflog_since_;
    // The mark's snapshot: what ended before xmin was visible to it, what began from xmax on was not, and in
    // between what did not run.
    TransactionId xmin_;
    TransactionId xmax_;
    std::unordered_set<TransactionId> running_;
    bool running_is_complete_;
    Snapshot snapshot_ = nullptr;
    StoredChunks* stored_ = nullptr;  // of the walk that runs
    // New and candidate objects: nodes of data trees, which may refer to blobs, and others.
    std::unordered_set<Hash, HashOfHash> met_as_data_;
    std::unordered_set<Hash, HashOfHash> met_;
    std::unordered_set<int64> met_prefixes_;  // of both
};

}  // namespace kvs::pg
