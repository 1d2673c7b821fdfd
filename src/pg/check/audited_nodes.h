// Nodes of one level of a tree that was audited before, left to right, as far as they lie where a node of
// another tree lies: what the two have in common need not be audited again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kvs/hash.h"
#include "kvs/tree/node.h"

namespace kvs::pg {

// A node by its place in an audited tree.
struct AuditedPlace {
    Hash address;
    bool at_start = true;    // the first node of its level
    bool at_edge = true;     // the last node of its level
    std::string key_before;  // the key that ends the node before it; none at the start
};

struct AuditedNode {
    AuditedPlace place;
    NodeRef node;
    bool whole;
};

// The children of internal nodes that follow one another.
class AuditedChildren {
  public:
    explicit AuditedChildren(const std::vector<AuditedNode>& nodes);

    // The rest is about the current child, of which there is none at the end.
    bool at_end() const { return node_ == nodes_.size(); }
    void Advance();

    const std::string& last_key() const { return last_key_; }
    Hash address() const { return parent().ChildHash(child_); }
    uint64_t entries() const { return parent().ChildEntries(child_); }
    bool whole() const { return nodes_[node_].whole; }  // it and its parent
    bool at_start() const { return child_ == 0 && nodes_[node_].place.at_start; }
    bool at_edge() const { return child_ + 1 == parent().count() && nodes_[node_].place.at_edge; }
    const std::string& key_before() const { return key_before_; }  // unless at_start
    AuditedPlace place() const { return {address(), at_start(), at_edge(), key_before_}; }

  private:
    const Node& parent() const { return *nodes_[node_].node; }

    const std::vector<AuditedNode>& nodes_;
    size_t node_ = 0;
    size_t child_ = 0;
    std::string key_before_;
    std::string last_key_;
};

}  // namespace kvs::pg
