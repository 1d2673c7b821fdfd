// Chunks as they lie in _kvs.chunk: read past every cache and never trusted, for checks and inspection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "kvs/codec/frame.h"
#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "pg/server.h"
#include "pg/table_access.h"

namespace kvs::pg {

// What was found at an address.
struct StoredChunk {
    enum class State { kWhole, kMissing, kDamaged };

    State state = State::kMissing;
    std::string raw;                   // of a whole chunk
    std::string problem;               // of a damaged one: lower case, no full stop
    std::optional<Hash> missing_base;  // of a damaged one that is a delta against a chunk that is not there
    uint64_t stored_size = 0;          // bytes of the frame
};

// A NodeStore for reading only, so that the core can walk trees through it. It keeps some of the chunks that
// it has verified itself, as bases of deltas and for walks that come by again.
class StoredChunks : public NodeStore, private BaseSource {
  public:
    // Sees what `snapshot` sees. Holds the table open until Finish, which is to be called on the normal way
    // out.
    explicit StoredChunks(Snapshot snapshot);
    void Finish();

    StoredChunk Read(const Hash& address);

    // Null if there is no whole node.
    NodeRef TryReadNode(const Hash& address);

    // The transaction that stored the chunk, as it stands in the row; InvalidTransactionId if there is none.
    TransactionId Inserter(const Hash& address);

    // What a frame that was found at `address` holds.
    StoredChunk Verify(const Hash& address, std::string_view frame);

    // Errors: kCorruption.
    NodeRef ReadNode(const Hash& address) override;
    std::string ReadBlob(const Hash& address) override;

    // Errors: always kWrongState.
    Hash WriteNode(std::string encoded) override;
    Hash WriteBlob(std::string_view payload) override;

    // Bytes of the frames of all chunks that were read.
    uint64_t stored_bytes() const { return stored_bytes_; }

  private:
    // Verified chunks in two generations: when the young one is full, it becomes the old one, and the old one
    // is forgotten.
    class Verified {
      public:
        struct Chunk {
            std::string raw;
            int depth = 0;  // of its frame
            uint64_t stored_size = 0;
        };
        const Chunk* Find(const Hash& address) const;
        void Add(const Hash& address, Chunk&& chunk);

      private:
        size_t young_size_ = 0;
        std::unordered_map<Hash, Chunk, HashOfHash> young_;
        std::unordered_map<Hash, Chunk, HashOfHash> old_;
    };

    struct varlena* Fetch(const Hash& address);
    std::optional<Base> FindBase(const Hash& address) override;
    std::string ReadOrThrow(const Hash& address);

    Snapshot snapshot_;
    Table table_;
    FrameCodec codec_;
    Verified verified_;
    std::optional<Hash> missing_base_;  // of the frame that is being decoded
    uint64_t stored_bytes_ = 0;
};

// The chunk table in the order of the addresses.
class StoredChunkScan {
  public:
    explicit StoredChunkScan(Snapshot snapshot);

    // Moves to the next row; false after the last. Views are valid until then.
    bool Next();

    std::string_view address() const { return address_; }  // of any length, if the row is damaged

    // Read when it is asked for.
    std::string_view frame();

    // To be called on the normal way out.
    void Finish();

  private:
    Table table_;
    IndexScanDesc scan_;
    MemoryContext row_context_;
    std::string_view address_;
};

// The heads of all frames, in the order of the table.
class StoredChunkHeads {
  public:
    explicit StoredChunkHeads(Snapshot snapshot);

    // Moves to the next row; false after the last. Views are valid until then.
    bool Next();

    // At most kMaxFrameHeadSize bytes of the frame.
    std::string_view head() const { return head_; }

    // To be called on the normal way out.
    void Finish();

  private:
    Table table_;
    TableScanDesc scan_;
    MemoryContext row_context_;
    std::string_view head_;
};

}  // namespace kvs::pg
