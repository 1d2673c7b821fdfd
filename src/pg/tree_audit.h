// Proves that trees are whole and in the one form that their contents allow, where many trees share most of
// their nodes: each distinct subtree is read and checked once.
//
// The rules are those of the core's CheckTree: every node is there and hashes to its address; levels, entry
// counts and last keys agree between parents and children; keys ascend; every node ends where the splitter
// says. What a checked subtree is to be compared with in its next parent (level, entries, first and last key)
// is remembered, in bounded memory: what was forgotten is checked again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "kvs/hash.h"
#include "kvs/tree/node.h"
#include "pg/stored_chunks.h"

namespace kvs::pg {

// Takes what is wrong with the chunk at `address`; `type` as kvs.check() names it. `keys` says which keys it
// holds, empty for a root.
using ChunkReport = std::function<void(const char* type, const Hash& address, const std::string& problem,
                                       const std::string& keys)>;

class TreeAudit {
  public:
    // Takes each node that is whole, before its children, at least once; answers what is wrong with its
    // items, or an empty string.
    using NodeVisitor = std::function<std::string(const Hash& address, const Node& node)>;

    // `memory`: about how many bytes it may remember.
    TreeAudit(StoredChunks* chunks, size_t memory, NodeVisitor visit, ChunkReport report);

    // Reports every problem that was not met before; answers whether the whole tree is free of problems.
    bool Check(const Hash& root);

  private:
    struct Subtree {
        bool whole = false;
        bool at_edge = false;  // checked where the last node of a level need not be full
        bool single = false;   // an internal node with one child
        int level = -1;        // -1: the chunk could not be read as a node
        uint64_t entries = 0;
        std::string first_key;
        std::string last_key;
    };

    // Remembers in two generations: when the young one is full, it becomes the old one, and the old one is
    // forgotten.
    class Memory {
      public:
        explicit Memory(size_t limit) : limit_(limit / 2) {}
        const Subtree* Find(const Hash& address);
        void Add(const Hash& address, const Subtree& subtree);

      private:
        size_t limit_;
        size_t young_size_ = 0;
        std::unordered_map<Hash, Subtree, HashOfHash> young_;
        std::unordered_map<Hash, Subtree, HashOfHash> old_;
    };

    Subtree CheckSubtree(const Hash& address, bool at_edge);
    Subtree CheckNode(const Hash& address, bool at_edge);
    void CheckItems(const Hash& address, const Node& node, bool at_edge, Subtree* result);
    void Report(const char* type, const Hash& address, const std::string& problem);
    bool FitsParent(const Hash& address, const Subtree& child, const Node& parent, size_t i,
                    const std::string& last_key, const std::string& key_before);

    StoredChunks* chunks_;
    Memory memory_;
    NodeVisitor visit_;
    ChunkReport report_;
    // The keys of the subtree that is being checked: behind the first, up to the second. Null for the root's.
    const std::string* key_before_ = nullptr;
    const std::string* last_key_ = nullptr;
};

}  // namespace kvs::pg
