// Chunks as they lie in _kvs.chunk and _kvs.pack: read past the caches of operations and never trusted, for
// checks, collection and inspection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "kvs/codec/frame.h"
#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "pg/chunk/pack_reader.h"
#include "pg/table/table_access.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// What was found at an address.
struct StoredChunk {
    enum class State { kWhole, kMissing, kDamaged };

    State state = State::kMissing;
    std::string raw;           // of a whole chunk
    std::string problem;       // of a damaged one: lower case, no full stop
    uint64_t stored_size = 0;  // bytes of the frame, or of its share of the pack
};

// A NodeStore for reading only, so that the core can walk trees through it. It keeps some of the chunks that
// it has verified itself, for walks that come by again, and the packs that they came from.
class StoredChunks : public NodeStore {
  public:
    // Sees what `snapshot` sees. Holds the table open until Finish, which is to be called on the normal way
    // out.
    explicit StoredChunks(Snapshot snapshot);
    void Finish();

    StoredChunk Read(const Hash& address);

    // Null if there is no whole node.
    NodeRef TryReadNode(const Hash& address);

    // The transaction that stored the chunk, or put it into a pack, as it stands in the row;
    // InvalidTransactionId if there is none.
    TransactionId Inserter(const Hash& address);

    // Whether the chunk table has a chunk that is whole and whose address begins with this.
    bool HasWholeRow(int64 prefix);

    // What a frame that was found at `address` holds.
    StoredChunk Verify(const Hash& address, std::string_view frame);

    // Errors: kCorruption.
    NodeRef ReadNode(const Hash& address) override;
    std::string ReadBlob(const Hash& address) override;

    // Errors: always kWrongState.
    Hash WriteNode(std::string encoded) override;
    Hash WriteBlob(std::string_view payload) override;

    // Bytes that the chunks that were read take.
    uint64_t stored_bytes() const { return stored_bytes_; }

  private:
    // Verified chunks in two generations: when the young one is full, it becomes the old one, and the old one
    // is forgotten.
    class Verified {
      public:
        struct Chunk {
            std::string raw;
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
    std::string ReadOrThrow(const Hash& address);

    Snapshot snapshot_;
    Table table_;
    FrameCodec codec_;
    Verified verified_;
    PackReader packs_;
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

}  // namespace kvs::pg
