#include "kvs/tree/replaced_nodes.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
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

std::vector<Child> ChildrenOf(const std::vector<NodeRef>& nodes) {
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

std::vector<NodeRef> ReadAll(NodeStore& store, std::span<const Child> children) {
    std::vector<NodeRef> nodes;
    nodes.reserve(children.size());
    for (const Child& child : children) {
        nodes.push_back(ReadChild(store, *child.parent, child.index));
    }
    return nodes;
}

bool Contains(std::span<const Child> children, const Hash& address) {
    return std::any_of(children.begin(), children.end(),
                       [&](const Child& child) { return child.address == address; });
}

const Child& Largest(std::span<const Child> children) {
    return *std::max_element(children.begin(), children.end(),
                             [](const Child& a, const Child& b) { return a.entries < b.entries; });
}

// The children from `first` on that lie over keys up to `last_key`; at least one.
std::span<const Child> UpTo(const std::string& last_key, const std::vector<Child>& children, size_t first) {
    size_t end = first;
    while (end + 1 < children.size() && children[end].last_key < last_key) {
        end++;
    }
    return std::span(children).subspan(first, end + 1 - first);
}

class Walk {
  public:
    Walk(NodeStore& store, const ReplacedNodeVisitor& visit) : store_(store), visit_(visit) {}

    // The children of `old_node` against those of `new_nodes`, which are of its level and lie over its keys,
    // in key order. Keys up to `low`, unless null, are those of nodes before.
    void Compare(const Node& old_node, const std::vector<NodeRef>& new_nodes, const std::string* low) {
        const std::vector<Child> candidates = ChildrenOf(new_nodes);
        std::string before = low != nullptr ? *low : std::string();
        std::string last_key;
        size_t first = 0;
        for (size_t i = 0; i < old_node.count(); i++) {
            const bool has_before = low != nullptr || i > 0;
            old_node.Key(i, &last_key);
            while (has_before && first + 1 < candidates.size() && candidates[first].last_key <= before) {
                first++;
            }
            CompareChild(old_node, i, UpTo(last_key, candidates, first), has_before ? &before : nullptr);
            before = last_key;
        }
    }

  private:
    void CompareChild(const Node& parent, size_t index, std::span<const Child> over, const std::string* low) {
        const Hash address = parent.ChildHash(index);
        if (Contains(over, address)) {
            return;
        }
        const int level = parent.level() - 1;
        visit_({address, Largest(over).address, level});
        if (level > 0) {
            Compare(*ReadChild(store_, parent, index), ReadAll(store_, over), low);
        }
    }

    NodeStore& store_;
    const ReplacedNodeVisitor& visit_;
};

// Goes down in `node` to nodes of the level of `new_root`, and compares each with it. `low` as in Walk.
void CompareBelow(NodeStore& store, const ReplacedNodeVisitor& visit, const Hash& address,
                  const NodeRef& node, const Hash& new_root, const NodeRef& new_node,
                  const std::string* low) {
    if (node->level() > new_node->level()) {
        std::string before;
        for (size_t i = 0; i < node->count(); i++) {
            CompareBelow(store, visit, node->ChildHash(i), ReadChild(store, *node, i), new_root, new_node,
                         i > 0 ? &before : low);
            node->Key(i, &before);
        }
        return;
    }
    if (address == new_root) {
        return;
    }
    visit({address, new_root, node->level()});
    if (!node->is_leaf()) {
        Walk(store, visit).Compare(*node, {new_node}, low);
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
        CompareBelow(store, visit, from, old_root, to, new_root, nullptr);
        return;
    }
    // The other tree is higher: its nodes of the level of the old root take the place of its root.
    std::vector<Child> below = ChildrenOf({new_root});
    while (below.front().parent->level() > old_root->level() + 1) {
        below = ChildrenOf(ReadAll(store, below));
    }
    std::string last_key;
    old_root->Key(old_root->count() - 1, &last_key);
    const std::span<const Child> over = UpTo(last_key, below, 0);
    if (Contains(over, from)) {
        return;
    }
    visit({from, Largest(over).address, old_root->level()});
    if (!old_root->is_leaf()) {
        Walk(store, visit).Compare(*old_root, ReadAll(store, over), nullptr);
    }
}

}  // namespace kvs
