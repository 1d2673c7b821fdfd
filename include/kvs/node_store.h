// Where chunks live. The tree knows nothing else of the world.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "kvs/hash.h"

namespace kvs {

class Node;
using NodeRef = std::shared_ptr<const Node>;

// A content-addressed store of immutable chunks: tree nodes and blobs (values too large for a leaf).
// Errors: a chunk that is missing or does not hash to its address throws Error(kCorruption) that names it.
class NodeStore {
  public:
    virtual ~NodeStore() = default;

    // The node at `address`, verified and structurally valid. Holding the reference keeps it alive.
    virtual NodeRef ReadNode(const Hash& address) = 0;

    // The same for a point look-up: the caller lets go of the node within the operation, so that a store may
    // lend it from memory that others wait for.
    virtual NodeRef BorrowNode(const Hash& address) { return ReadNode(address); }

    // Stores an encoded node and returns its address; storing it again is a no-op.
    virtual Hash WriteNode(std::string encoded) = 0;

    // The payload of a blob chunk.
    virtual std::string ReadBlob(const Hash& address) = 0;

    virtual Hash WriteBlob(std::string_view payload) = 0;
};

}  // namespace kvs
