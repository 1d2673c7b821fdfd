// Proves that trees are whole and in the one form that their contents allow, where many trees share most of
// their nodes: each distinct subtree is read and checked once.
//
// The rules are those of the core's CheckTree: every node is there and hashes to its address; levels, entry
// counts and last keys agree between parents and children; keys ascend; every node ends where the splitter
// says. A tree is checked beside one that was checked before: what stands at the same place in both is not
// looked at again, so that a tree costs what it does not share with that one. What a checked subtree is to be
// compared with in another parent (level, entries, first and last key) is remembered besides, in bounded
// memory: what was forgotten is checked again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "kvs/hash.h"
#include "kvs/tree/node.h"
#include "pg/check/audited_nodes.h"
#include "pg/check/subtree_memory.h"
#include "pg/chunk/stored_chunks.h"

namespace kvs::pg {

// Takes what is wrong with the chunk at `address`; `type` as kvs.check() names it. `keys` says which keys it
// holds, empty for a root.
using ChunkReport = std::function<void(const char* type, const Hash& address, const std::string& problem,
                                       const std::string& keys)>;

class TreeAudit {
  public:
    // Takes each node that is whole, before its children, at least once; answers what is wrong with its
    // items, or an empty string. Of a leaf it sets the fingerprint, a sum over its items.
    using NodeVisitor =
        std::function<std::string(const Hash& address, const Node& node, uint64_t* fingerprint)>;

    // `memory`: about how many bytes it may remember, an address per damaged subtree apart.
    TreeAudit(StoredChunks* chunks, size_t memory, NodeVisitor visit, ChunkReport report);

    // Reports every problem that was not met before; answers whether the whole tree is free of problems.
    // `audited` is the root of a tree that this object checked before, whatever came out, of which this one
    // is a neighbour; null if none is known.
    bool Check(const Hash& root, const Hash* audited);

    // Of a tree that was found whole just now: the sum of its leaves' fingerprints, modulo 2^64. nullopt if
    // too much was forgotten to know it.
    std::optional<uint64_t> Fingerprint(const Hash& root);

  private:
    class FingerprintSum;
    class ChildrenCheck;

    Subtree CheckSubtree(const Hash& address, bool at_edge, const std::vector<AuditedPlace>& places);
    Subtree CheckNode(const Hash& address, bool at_edge, const std::vector<AuditedPlace>& places);
    void CheckItems(const Hash& address, const Node& node, ChildrenCheck* children, Subtree* result);
    std::vector<AuditedNode> ReadAudited(std::vector<AuditedPlace> places, int level);
    bool StartsAfter(const Hash& address, const std::string& key_before);
    std::optional<uint64_t> ChildFingerprint(const Hash& address, bool may_read);
    void Report(const char* type, const Hash& address, const std::string& problem);
    bool FitsParent(const Hash& address, const Subtree& child, const Node& parent, size_t i,
                    const std::string& last_key, const std::string& key_before);

    StoredChunks* chunks_;
    SubtreeMemory memory_;
    std::unordered_set<Hash, HashOfHash> not_whole_;
    NodeVisitor visit_;
    ChunkReport report_;
    // The keys of the subtree that is being checked: behind the first, up to the second. Null for the root's.
    const std::string* key_before_ = nullptr;
    const std::string* last_key_ = nullptr;
};

}  // namespace kvs::pg
