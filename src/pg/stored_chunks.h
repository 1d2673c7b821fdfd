// Chunks as they lie in _kvs.chunk: read past every cache and never trusted, for checks and inspection.
#pragma once

#include <cstdint>
#include <string>

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
    std::string raw;           // of a whole chunk
    std::string problem;       // of a damaged one: lower case, no full stop
    uint64_t stored_size = 0;  // bytes of the frame
};

// A NodeStore for reading only, so that the core can walk trees through it.
class StoredChunks : public NodeStore {
  public:
    // Sees what `snapshot` sees. Holds the table open until Finish, which is to be called on the normal way
    // out.
    explicit StoredChunks(Snapshot snapshot);
    void Finish();

    StoredChunk Read(const Hash& address);

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

    // Bytes of all frames that were read.
    uint64_t stored_bytes() const { return stored_bytes_; }

  private:
    std::string ReadOrThrow(const Hash& address);

    Snapshot snapshot_;
    Table table_;
    FrameCodec codec_;
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
