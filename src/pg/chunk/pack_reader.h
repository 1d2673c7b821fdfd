// Reading chunks out of packs.
//
// A pack is decoded as a whole, so the last ones are kept for the neighbours that are asked for next:
// versions of one place of a tree lie side by side. What is kept names the state of a row that it was decoded
// from; whether there still is such a row is looked at each time.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "kvs/codec/pack.h"
#include "kvs/hash.h"
#include "pg/chunk/pack_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// What the packs have at an address.
struct PackedChunk {
    std::string raw;             // verified
    std::string problem;         // why it could not be read: lower case, no full stop; else empty
    uint64_t stored_size = 0;    // its share of the bytes of the pack
    TransactionId inserter = 0;  // of the pack's row
};

// The share of a member of `size` bytes in a pack whose members have `all` and that takes `stored`.
inline uint64_t ShareOfPack(uint64_t stored, uint64_t size, uint64_t all) {
    return all == 0 ? 0 : stored * size / all;
}

class PackReader {
  public:
    explicit PackReader(size_t cached_bytes) : cached_bytes_(cached_bytes) {}

    // This backend's, with the packs that operations share.
    static PackReader& Get();

    // nullopt if no pack that is visible to the snapshot holds the chunk. One that cannot be read and may be
    // the one comes with its problem.
    std::optional<PackedChunk> Read(const Hash& address, Snapshot snapshot);

    // The transaction that stored a pack that may hold the chunk; InvalidTransactionId if there is none.
    static TransactionId Inserter(const Hash& address, Snapshot snapshot);

  private:
    struct Entry {
        PackVersion version;
        std::shared_ptr<const Pack> pack;
        size_t stored_size;
    };

    // A member that may be the one, as the server hands it out.
    struct Candidate {
        PackVersion version;
        int member;
        int count;             // of addresses
        struct varlena* body;  // null if the pack is kept
    };
    static constexpr int kMaxCandidates = 8;

    int FindCandidates(int64 prefix, Snapshot snapshot, Candidate* candidates) const;
    const Entry* FindCached(const PackVersion& version) const;
    const Entry* Unpack(const Candidate& candidate, std::string* problem);
    const Entry* Keep(const Candidate& candidate, Pack pack, size_t stored_size);

    PackCodec codec_;
    std::list<Entry> entries_;  // the one used last first
    size_t cached_bytes_;
    size_t bytes_ = 0;
};

}  // namespace kvs::pg
