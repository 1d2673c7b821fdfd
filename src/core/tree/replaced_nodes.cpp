#include "kvs/tree/replaced_nodes.h"

#include <algorithm>
#include <string>
#include <vector>

#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "read.h"

namespace kvs {

namespace {

// A node as its parent knows it.
struct Child {
    Hash address;
    std::string last_key;
    uint64_t entries = 0;
    NodeRef parent;
    size_t index = 0;
};

class Walk {
  public:
    Walk(NodeStore& store, const ReplacedNodeVisitor& visit) : store_(store), visit_(visit) {}

    // The children of `old_node` against those of `new_nodes`, which are of its level and lie over its keys,
    // in key order. Keys up to `low`, unless null, are those of nodes before.
    void Compare(const Node& old_node, const std::vector<NodeRef>& new_nodes, const std::string* low) {
        const std::vector<Child> candidates = ChildrenOf(new_nodes);
        std::string before;
        if (low != nullptr) {
            before = *low;
        }
        bool has_before = low != nullptr;
        size_t first = 0;
        std::string last_key;
        for (size_t i = 0; i < old_node.count(); i++) {
            old_node.Key(i, &last_key);
            while (has_before && first + 1 < candidates.size() && candidates[first].last_key <= before) {
                first++;
            }
            // Over these keys lie the candidates up to the first that reaches the last of them.
            size_t end = first;
            while (end + 1 < candidates.size() && candidates[end].last_key < last_key) {
                end++;
            }
            CompareChild(old_node, i, {candidates.begin() + first, candidates.begin() + end + 1},
                         has_before ? &before : nullptr);
            before = last_key;
            has_before = true;
        }
    }

  private:
    static std::vector<Child> ChildrenOf(const std::vector<NodeRef>& nodes) {
        std::vector<Child> children;
        for (const NodeRef& node : nodes) {
            for (size_t i = 0; i < node->count(); i++) {
                Child child{node->ChildHash(i), {}, node->ChildEntries(i), node, i};
                node->Key(i, &child.last_key);
                children.push_back(std::move(child));
            }
        }
        return children;
    }

    void CompareChild(const Node& parent, size_t index, const std::vector<Child>& over,
                      const std::string* low) {
        const Hash address = parent.ChildHash(index);
        for (const Child& child : over) {
            if (child.address == address) {
                return;
            }
        }
        const auto largest = std::max_element(
            over.begin(), over.end(), [](const Child& a, const Child& b) { return a.entries < b.entries; });
        const int level = parent.level() - 1;
        visit_({address, largest->address, level});
        if (level == 0) {
            return;
        }
        const NodeRef old_node = ReadChild(store_, parent, index);
        std::vector<NodeRef> new_nodes;
        new_nodes.reserve(over.size());
        for (const Child& child : over) {
            new_nodes.push_back(ReadChild(store_, *child.parent, child.index));
        }
        Compare(*old_node, new_nodes, low);
    }

    NodeStore& store_;
    const ReplacedNodeVisitor& visit_;
};

// Goes down in `node` to nodes of the level of `new_root`, and compares each with it.
void CompareBelow(NodeStore& store, const ReplacedNodeVisitor& visit, const Hash& address,
                  const NodeRef& node, const Hash& new_root, const NodeRef& new_node) {
    if (node->level() > new_node->level()) {
        for (size_t i = 0; i < node->count(); i++) {
            CompareBelow(store, visit, node->ChildHash(i), ReadChild(store, *node, i), new_root, new_node);
        }
        return;
    }
    if (address == new_root) {
        return;
    }
    visit({address, new_root, node->level()});
    if (!node->is_leaf()) {
        Walk(store, visit).Compare(*node, {new_node}, nullptr);
    }
}

}  // namespace

void VisitReplacedNodes(NodeStore& store, const Hash& from, const Hash& to,
                        const ReplacedNodeVisitor& visit) {
    if (from == to || from == kEmptyRoot || to == kEmptyRoot) {
        return;
    }
    const NodeRef old_root = store.ReadNode(from);
    const NodeRef new_root = store.ReadNode(to);
    if (old_root->level() >= new_root->level()) {
        CompareBelow(store, visit, from, old_root, to, new_root);
        return;
    }
    // The other tree is higher: its nodes of the level of the old root take the place of its root.
    std::vector<NodeRef> parents = {new_root};
    while (parents.front()->level() > old_root->level() + 1) {
        std::vector<NodeRef> below;
        for (const NodeRef& parent : parents) {
            for (size_t i = 0; i < parent->count(); i++) {
                below.push_back(ReadChild(store, *parent, i));
            }
        }
        parents = std::move(below);
    }
    std::vector<NodeRef> over;
    const Node* largest = nullptr;
    Hash largest_address;
    for (const NodeRef& parent : parents) {
        for (size_t i = 0; i < parent->count(); i++) {
            const Hash address = parent->ChildHash(i);
            if (address == from) {
                return;
            }
            over.push_back(ReadChild(store, *parent, i));
            if (largest == nullptr || over.back()->entries() > largest->entries()) {
                largest = over.back().get();
                largest_address = address;
            }
        }
    }
    visit({from, largest_address, old_root->level()});
    if (!old_root->is_leaf()) {
        Walk(store, visit).Compare(*old_root, over, nullptr);
    }
}

}  // namespace kvs
