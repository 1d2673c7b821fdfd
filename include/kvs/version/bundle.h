// Bundles: commits with the chunks that they need, as parts of bounded size that travel as files or bytea
// (docs/bundle-format.md).
//
//     part    "kvs bundle", u8 version (1), varint number of the part (from 0), records, 32-byte digest
//     record  u8 kind, then
//             1 prerequisite   32-byte hash of a commit that the receiver must have
//             2 chunk          length-prefixed frame
//             3 commit         length-prefixed encoded commit; parents come before their children
//             4 head           length-prefixed name, 32-byte hash of the commit that the bundle is for
//
// Prerequisites come first; the head is the last record of the last part. A digest is SHA-256 over a domain
// tag, the digest of the part before (zeros for the first) and the part up to it, so that parts that are
// damaged, missing, swapped or of another bundle are found. A chunk's frame must be of a kind that needs no
// other chunk (raw or zstd).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/error.h"
#include "kvs/hash.h"

namespace kvs {

constexpr uint8_t kBundleVersion = 1;
constexpr size_t kBundlePartSize = size_t{1} << 20;  // from which a part is closed

// Writes the records of one bundle, in the order above. A part may be taken between two records.
class BundleWriter {
  public:
    // `hasher` must outlive the writer.
    explicit BundleWriter(Hasher& hasher);

    void AddPrerequisite(const Hash& commit);
    void AddChunk(std::string_view frame);
    void AddCommit(std::string_view encoded);
    // The last record.
    void AddHead(std::string_view name, const Hash& commit);

    bool IsPartFull() const { return part_.size() >= kBundlePartSize; }

    // The part with what was added since the last one.
    std::string TakePart();

  private:
    void BeginPart();

    Hasher* hasher_;
    uint64_t number_ = 0;
    Hash previous_;  // digest of the part before
    std::string part_;
};

struct BundleRecord {
    enum class Kind : uint8_t { kPrerequisite = 1, kChunk = 2, kCommit = 3, kHead = 4 };

    Kind kind = Kind::kHead;
    std::string_view bytes;  // frame, encoded commit or name, inside the part
    Hash hash;               // of a prerequisite or head
};

// Reads the parts of one bundle in their order.
class BundleReader {
  public:
    // `hasher` must outlive the reader.
    explicit BundleReader(Hasher& hasher) : hasher_(&hasher) {}

    // Checks the digest and then hands each record to `visit`. What the records hold is for the caller to
    // check. Errors: kCorruption; kInvalidArgument for a version that is not known.
    Status ReadPart(std::string_view part, const std::function<void(const BundleRecord&)>& visit);

    // Whether the head was read, behind which nothing may come.
    bool IsComplete() const { return complete_; }

  private:
    Hasher* hasher_;
    uint64_t number_ = 0;
    Hash previous_;
    bool past_prerequisites_ = false;
    bool complete_ = false;
};

}  // namespace kvs
