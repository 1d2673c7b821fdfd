// The way into the store for commits and chunks that were made elsewhere.
//
// Nothing is believed: frames are decoded, hashed and parsed, commits too, and a commit is stored only when
// its parents are whole and its trees have been walked from their roots. Chunks go in first, so what is given
// up half way leaves chunks that nothing refers to, which a later attempt finds again and a collection
// removes. The caller holds the lock of BeginRefEdit.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/codec/frame.h"
#include "kvs/hash.h"
#include "kvs/version/object_walk.h"
#include "pg/chunk/chunk_store.h"
#include "pg/read/commit_range.h"
#include "pg/transfer/content_check.h"
#include "pg/transfer/whole_commits.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Where missing chunks come from.
class ChunkSource {
  public:
    virtual ~ChunkSource() = default;

    // Hands over a frame for each address, in their order.
    using Taker = std::function<void(size_t index, std::string frame)>;
    virtual void Fetch(const std::vector<Hash>& addresses, const Taker& take) = 0;
};

class ObjectIntake {
  public:
    // Without a source a chunk that is missing is an error. `source` must outlive the intake.
    explicit ObjectIntake(Snapshot snapshot, ChunkSource* source = nullptr)
        : chunks_(snapshot), whole_(snapshot), source_(source) {}

    // Stores a chunk that was sent unasked, once its frame, hash and form are verified. Errors: kCorruption.
    void AddChunk(std::string_view frame);

    // The commit that these bytes are. Errors: kCorruption.
    static NamedCommit Decode(std::string_view encoded);

    // Stores commits, parents before children, and before them the chunks that they need. False if it stopped
    // because `max_bytes` have come: what came is kept, and the next attempt goes on from there. Errors:
    // kCorruption; kWrongState for a parent or, without a source, a chunk that is missing.
    bool AddCommits(const std::vector<NamedCommit>& window, int64 max_bytes = PG_INT64_MAX);

    bool IsWhole(const Hash& commit) { return whole_.Contains(commit); }

    // Writes what is pending.
    void Flush() { chunks_.Flush(); }

    // Chunks taken over, and the bytes of their frames.
    int64 chunks() const { return chunks_taken_; }
    int64 bytes() const { return bytes_taken_; }

  private:
    bool Walk(ObjectWalk* walk, int64 max_bytes);
    std::string Verify(std::string_view frame, const Hash* expected, Hash* address);
    void Store(const Hash& address, std::string frame);

    ChunkStore chunks_;
    WholeCommits whole_;
    ChunkSource* source_;
    ServerContentCheck check_;
    FrameCodec codec_;
    int64 chunks_taken_ = 0;
    int64 bytes_taken_ = 0;
};

}  // namespace kvs::pg
