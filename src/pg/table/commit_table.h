// The commit graph, _kvs.commit, and the moves of branch heads, _kvs.reflog.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "kvs/version/commit.h"
#include "kvs/version/merge_base.h"
#include "pg/table/branch_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Errors: kCorruption if it is missing or does not hash to its address; kSerialization if it was stored since
// the transaction's snapshot was taken.
Commit ReadCommit(const Hash& hash, Snapshot snapshot);

// nullopt if there is no such commit.
std::optional<Commit> TryReadCommit(const Hash& hash, Snapshot snapshot);

// The commits whose hash begins with these (4 to 64) hexadecimal digits; at most two are looked for.
std::vector<Hash> FindCommits(std::string_view hex_prefix, Snapshot snapshot);

// Stores a commit and returns its hash. `consumed` is the snapshot whose working rows it took; null for one
// that was made elsewhere.
Hash WriteCommit(const Commit& commit, Snapshot consumed);

// Locks the row of a commit that a new ref or a new commit will name (FOR KEY SHARE, until the end of the
// transaction), so that it cannot be collected meanwhile. To be called after LockChunksForBuild. Errors, for
// a commit that was collected since it was read: kSerialization at the stricter isolation levels, else
// kUnknownRef.
void LockCommitForReference(const Hash& commit);

// The transaction that stored a commit (nullopt if there is no such commit), as it stands in the row.
std::optional<TransactionId> CommitInserter(const Hash& commit, Snapshot snapshot);

// Deletes the row of a commit and returns the size of the commit; 0 if there is none.
int64 DeleteCommit(const Hash& commit, Snapshot snapshot);

// Takes collected commits out of the reflog, of whose rows before `moment` one may name them: such rows are
// deleted, and the others no longer say what they discarded.
void ForgetMoves(TimestampTz moment, const std::function<bool(const Hash& commit)>& is_collected,
                 Snapshot snapshot);

// Whether this transaction has stored the commit. It did so only when all that the commit reaches was there.
bool IsStoredHere(const Hash& hash);

// The graph for core algorithms.
class CommitTable : public CommitGraph {
  public:
    explicit CommitTable(Snapshot snapshot) : snapshot_(snapshot) {}
    CommitLinks ReadLinks(const Hash& commit) override;

  private:
    Snapshot snapshot_;
};

// Records that `branch` moved. `from` null: created; `to` null: deleted; `discarded_root`: the data root of
// uncommitted work that was thrown away.
void AppendReflog(const Branch& branch, const Hash* from, const Hash* to, const char* operation,
                  std::string_view author, const Hash* discarded_root = nullptr);

// Where the branch of this name stood `n` moves ago (0: where it stands). nullopt if the log is not that
// long.
std::optional<Hash> ReflogEntry(std::string_view branch, uint64_t n, Snapshot snapshot);

// Where the branch stood at that moment. nullopt if it did not exist yet, or no longer.
std::optional<Hash> ReflogAt(std::string_view branch, TimestampTz moment, Snapshot snapshot);

// Who commits: `given` unless empty, else kvs.author, else the session user.
std::string AuthorName(std::string_view given);

}  // namespace kvs::pg
