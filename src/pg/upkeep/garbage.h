// What a mark found to be reached by nothing: commits, chunks and members of packs, as candidates that a
// sweep takes up again, in the same transaction or in later ones. Chunks and members are kept in memory up to
// a limit and beyond it on disk.
#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class Garbage {
  public:
    // Lives in `context`. spans_transactions: what is added in one transaction is read in others; then the
    // files, should there be any, go away with Finish or with the process.
    Garbage(MemoryContext context, bool spans_transactions);

    // Commits come children first, and are to be deleted in this order: whenever it is interrupted, no commit
    // is left without its parents.
    void AddCommit(const Hash& commit);
    bool HasRoomForCommits() const;
    const std::vector<Hash>& commits() const { return commits_; }
    bool HasCommit(const Hash& commit) const { return commit_set_.contains(commit); }

    // Chunks come in the order of their addresses, members (by their place in a pack) in that of their packs.
    // Of members only the first bytes of their addresses are known. `stored`: how many of both there are in
    // all.
    void BeginChunks(int64 stored);
    void AddChunk(const Hash& chunk);
    void NotePrefix(int64 prefix);
    void AddMember(int64 pack, int64 member);
    void EndChunks();
    int64 chunk_count() const { return chunk_count_ + member_count_; }

    // Whether the chunk may be a candidate; never false for one that is.
    bool MayHaveChunk(const Hash& chunk) const;

    // Moves to the next chunk; false after the last.
    bool NextChunk(Hash* chunk);

    // Moves to the next pack that has candidates, and tells which members they are; false after the last.
    bool NextPack(int64* pack, std::vector<int64>* members);

    bool empty() const { return commits_.empty() && chunk_count() == 0; }

    // To be called on the normal way out.
    void Finish();

  private:
    uint64_t BitOf(int64 prefix) const;
    bool NextMember();

    MemoryContext context_;
    bool spans_transactions_;
    std::vector<Hash> commits_;
    std::unordered_set<Hash, HashOfHash> commit_set_;
    // A bit for each candidate, found by the prefix of its address. Two chunks may share a bit: then
    // more is looked at than need be, and nothing is decided by it.
    std::vector<uint64_t> bits_;
    uint64_t bit_mask_ = 0;
    void* chunks_ = nullptr;  // Tuplestorestate
    TupleTableSlot* slot_ = nullptr;
    int64 chunk_count_ = 0;
    void* members_ = nullptr;  // Tuplestorestate
    TupleTableSlot* member_slot_ = nullptr;
    int64 member_count_ = 0;
    // The member that was read last, of the pack that comes next.
    bool has_member_ = false;
    int64 next_pack_ = 0;
    int64 next_member_ = 0;
};

}  // namespace kvs::pg
