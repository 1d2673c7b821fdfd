// The commit graph, _kvs.commit.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "kvs/version/commit.h"
#include "kvs/version/commit_graph.h"
#include "pg/table/commit_cache.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// A commit that a ref or a person names, as `snapshot` shows it. Errors: kCorruption if it is missing or does
// not hash to its address; kSerialization if it was stored since the transaction's snapshot was taken.
Commit ReadCommit(const Hash& hash, Snapshot snapshot);

// nullopt if there is no such commit.
std::optional<Commit> TryReadCommit(const Hash& hash, Snapshot snapshot);

// An ancestor of a commit that was read under `snapshot`: from this backend's memory, if it is remembered
// there (pg/table/commit_cache.h). Errors: those of ReadCommit.
CommitRef ReadAncestor(const Hash& hash, Snapshot snapshot);

// The commit `*steps` first parents above one that was read under `snapshot`, as kvs/version/ancestry.h says.
// Errors: those of ReadCommit; kCorruption.
Hash AncestorAlongFirstParents(const Hash& commit, uint64_t* steps, Snapshot snapshot);

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

// Whether this transaction has stored the commit. It did so only when all that the commit reaches was there.
bool IsStoredHere(const Hash& hash);

// The graph for core algorithms. Ancestors come as from ReadAncestor.
class CommitTable : public CommitGraph {
  public:
    explicit CommitTable(Snapshot snapshot) : snapshot_(snapshot) {}
    CommitLinks ReadLinks(const Hash& commit) override;
    CommitLinks ReadTip(const Hash& commit) override;

  private:
    Snapshot snapshot_;
};

// Who commits: `given` unless empty, else kvs.author, else the session user.
std::string AuthorName(std::string_view given);

}  // namespace kvs::pg
