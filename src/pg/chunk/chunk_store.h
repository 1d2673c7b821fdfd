// The NodeStore over _kvs.chunk, and over _kvs.pack for chunks that only history needs.
//
// Chunks are immutable, so a read may use any snapshot that sees one: first what is committed now (which
// takes no predicate locks and also sees what a repeatable-read snapshot is too old for), then the
// operation's own snapshot (which still sees what a collection removed since). A chunk that is not in the one
// table is looked for in the other: repacking moves chunks from the first to the second.
//
// Writes are collected and inserted in the order of their addresses, so that two transactions that write the
// same chunks cannot deadlock within a batch; whoever writes must call Flush before it moves a ref. "Exists
// already" is arbitrated by the index of _kvs.chunk, never by a cache, and never by packs: a chunk that is
// needed again is stored again.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "kvs/codec/frame.h"
#include "kvs/node_store.h"
#include "pg/chunk/dictionary_cache.h"
#include "pg/chunk/frame_worker.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class ChunkStore : public NodeStore {
  public:
    // `snapshot` is the one under which the roots were read; it must stay registered or active.
    explicit ChunkStore(Snapshot snapshot) : snapshot_(snapshot) {}
    ~ChunkStore() override = default;

    NodeRef ReadNode(const Hash& address) override;
    NodeRef BorrowNode(const Hash& address) override;
    Hash WriteNode(std::string encoded) override;
    std::string ReadBlob(const Hash& address) override;
    Hash WriteBlob(std::string_view payload) override;

    // ReadNode lends leaves from here on, as BorrowNode does: for what walks trees from their beginning to
    // their end in one go, and does not stand still in a leaf until somebody asks for the next row.
    void LendLeaves() { lends_ = true; }

    // What is written from here on is much and will stay, as an import does, and is compressed thoroughly.
    // What a commit writes is compressed fast, and thoroughly when it is packed. `worker` helps until this is
    // called again with none.
    void CompressThoroughly(FrameWorker* worker);

    // Inserts what was written since.
    void Flush();

    // For stores that outlive one call: the snapshot of the call that runs.
    void set_snapshot(Snapshot snapshot) { snapshot_ = snapshot; }

    // The raw bytes of any chunk, verified. Errors: kCorruption.
    std::string ReadRaw(const Hash& address);

    // For transfers between stores. A chunk with a frame that any store can read, compressed for keeping; the
    // raw bytes of a chunk if it is there; and taking over a frame, whose raw bytes the caller has verified.
    // Errors as above.
    struct Portable {
        std::string raw;
        std::string frame;
    };
    Portable ReadPortable(const Hash& address);
    std::optional<std::string> TryReadRaw(const Hash& address);
    bool Contains(const Hash& address);
    void AddFrame(const Hash& address, std::string frame);

    // Counters of this store, for EXPLAIN and tests.
    uint64_t nodes_read() const { return nodes_read_; }
    uint64_t chunks_fetched() const { return chunks_fetched_; }

  private:
    Hash Write(const std::string& raw);
    const Dictionary* DictionaryFor(std::string_view raw);
    void AddPending(const Hash& address, std::string frame);
    void TakeFrames();
    void AwaitFrames();
    void FlushIfLarge();
    std::optional<std::string> FindRaw(const Hash& address, std::string* frame);
    std::string Verified(const Hash& address, std::string_view frame);

    Snapshot snapshot_;
    // Frames; an empty one is yet to come from the worker.
    std::unordered_map<Hash, std::string, HashOfHash> pending_;
    size_t pending_bytes_ = 0;
    bool lends_ = false;
    bool thorough_ = false;
    FrameWorker* worker_ = nullptr;
    std::optional<NewestDictionaries> dictionaries_;  // read at the first write
    uint64_t nodes_read_ = 0;
    uint64_t chunks_fetched_ = 0;
};

}  // namespace kvs::pg
