#include "kvs/tree/check.h"

#include <optional>
#include <vector>

#include "kvs/tree/node.h"
#include "kvs/tree/splitter.h"

namespace kvs {

namespace {

// Walks in key order; per level it holds the splitter's state and what the previous node of the level left.
class TreeChecker {
  public:
    TreeChecker(NodeStore& store, const TreeProblemCallback& report) : store_(store), report_(report) {}

    void CheckRoot(const Hash& root) {
        const NodeRef node = Read(root);
        if (!node) {
            return;
        }
        if (node->count() == 0) {
            report_(root, "an empty leaf is stored as a root");
            return;
        }
        if (!node->is_leaf() && node->count() == 1) {
            report_(root, "the root has a single child");
        }
        for (int level = 0; level <= node->level(); ++level) {
            levels_.emplace_back(level);
        }
        CheckNode(root, *node, nullptr);
    }

  private:
    struct Level {
        explicit Level(int level) : splitter(level) {}

        Splitter splitter;
        bool node_ended = true;               // whether the splitter ended the previous node
        Hash previous{};                      // its address
        std::optional<std::string> last_key;  // of the last item seen
    };

    NodeRef Read(const Hash& address) {
        try {
            return store_.ReadNode(address);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kCorruption) {
                throw;
            }
            report_(address, error.what());
            return nullptr;
        }
    }

    void CheckNode(const Hash& address, const Node& node, const std::string* expected_last_key) {
        Level& level = levels_[node.level()];
        if (!level.node_ended) {
            report_(level.previous, "the node ends before its boundary");
            level.splitter.Reset();
        }
        std::string key;
        bool ended = false;
        for (size_t i = 0; i < node.count(); ++i) {
            node.Key(i, &key);
            if (level.last_key && *level.last_key >= key) {
                report_(address, "its keys do not come after those of the node before it");
            }
            level.last_key = key;
            if (ended) {
                report_(address, "the node goes on behind its boundary");
            }
            const size_t size = node.is_leaf() ? LeafItemSize(key.size(), node.Value(i).size())
                                               : InternalItemSize(key.size());
            ended = level.splitter.Add(key, size);
            if (!node.is_leaf()) {
                CheckChild(node, i, key);
            }
        }
        if (expected_last_key != nullptr && *expected_last_key != key) {
            report_(address, "its last key is not the one that its parent holds");
        }
        level.node_ended = ended;
        level.previous = address;
    }

    void CheckChild(const Node& parent, size_t i, const std::string& last_key) {
        const Hash address = parent.ChildHash(i);
        const NodeRef child = Read(address);
        if (!child) {
            Skip(parent.level() - 1);
            return;
        }
        if (child->level() != parent.level() - 1) {
            report_(address, "its level does not fit its parent's");
            Skip(parent.level() - 1);
            return;
        }
        if (child->entries() != parent.ChildEntries(i)) {
            report_(address, "its number of entries is not the one that its parent holds");
        }
        CheckNode(address, *child, &last_key);
    }

    // After an unreadable node nothing is known of the splitter's state there and below; all boundaries of
    // nodes that do end, end on all levels below as well, except at the end of the tree.
    void Skip(int level) {
        for (; level >= 0; --level) {
            levels_[level].splitter.Reset();
            levels_[level].node_ended = true;
        }
    }

    NodeStore& store_;
    const TreeProblemCallback& report_;
    std::vector<Level> levels_;
};

}  // namespace

void CheckTree(NodeStore& store, const Hash& root, const TreeProblemCallback& report) {
    if (root != kEmptyRoot) {
        TreeChecker(store, report).CheckRoot(root);
    }
}

}  // namespace kvs
