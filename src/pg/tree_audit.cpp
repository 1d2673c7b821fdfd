#include "pg/tree_audit.h"

#include <tuple>
#include <utility>

#include "kvs/tree/chunk.h"
#include "kvs/tree/splitter.h"
#include "kvs/util/quote.h"

namespace kvs::pg {

namespace {

constexpr size_t kEntryOverhead = 160;  // bytes of a remembered subtree without its keys

constexpr const char* kMissing = "missing_object";
constexpr const char* kCorrupt = "corrupt_object";
constexpr const char* kWrongCount = "wrong_count";

}  // namespace

const TreeAudit::Subtree* TreeAudit::Memory::Find(const Hash& address) {
    if (const auto found = young_.find(address); found != young_.end()) {
        return &found->second;
    }
    const auto found = old_.find(address);
    if (found == old_.end()) {
        return nullptr;
    }
    // What is met again stays.
    const Subtree subtree = std::move(found->second);
    old_.erase(found);
    Add(address, subtree);
    return &young_.find(address)->second;
}

void TreeAudit::Memory::Add(const Hash& address, const Subtree& subtree) {
    if (young_size_ > limit_) {
        old_ = std::move(young_);
        young_.clear();
        young_size_ = 0;
    }
    young_size_ += kEntryOverhead + subtree.first_key.size() + subtree.last_key.size();
    young_.insert_or_assign(address, subtree);
}

TreeAudit::TreeAudit(StoredChunks* chunks, size_t memory, NodeVisitor visit, ChunkReport report)
    : chunks_(chunks), memory_(memory), visit_(std::move(visit)), report_(std::move(report)) {}

bool TreeAudit::Check(const Hash& root) {
    if (root == kEmptyRoot) {
        return true;
    }
    const Subtree tree = CheckSubtree(root, true);
    if (tree.whole && tree.entries == 0) {
        Report(kCorrupt, root, "an empty leaf is stored as a root");
    } else if (tree.whole && tree.single) {
        Report(kCorrupt, root, "the root has a single child");
    } else {
        return tree.whole;
    }
    return false;
}

TreeAudit::Subtree TreeAudit::CheckSubtree(const Hash& address, bool at_edge) {
    if (const Subtree* known = memory_.Find(address); known != nullptr && (at_edge || !known->at_edge)) {
        return *known;
    }
    Subtree checked = CheckNode(address, at_edge);
    memory_.Add(address, checked);
    return checked;
}

TreeAudit::Subtree TreeAudit::CheckNode(const Hash& address, bool at_edge) {
    Subtree result;
    StoredChunk chunk = chunks_->Read(address);
    if (chunk.state == StoredChunk::State::kMissing) {
        Report(kMissing, address, "the node is missing");
        return result;
    }
    if (chunk.state == StoredChunk::State::kDamaged) {
        Report(kCorrupt, address, chunk.problem);
        return result;
    }
    const Result<NodeRef> parsed = Node::Parse(std::move(chunk.raw));
    if (!parsed.ok()) {
        Report(kCorrupt, address, parsed.error().what());
        return result;
    }
    const Node& node = *parsed.value();
    result.whole = true;
    result.at_edge = at_edge;
    result.single = !node.is_leaf() && node.count() == 1;
    result.level = node.level();
    result.entries = node.entries();
    if (const std::string problem = visit_(address, node); !problem.empty()) {
        Report(kCorrupt, address, problem);
        result.whole = false;
    }
    CheckItems(address, node, at_edge, &result);
    return result;
}

void TreeAudit::CheckItems(const Hash& address, const Node& node, bool at_edge, Subtree* result) {
    Splitter splitter(node.level());
    std::string key;
    std::string key_before;
    bool ended = false;
    for (size_t i = 0; i < node.count(); i++) {
        node.Key(i, &key);
        if (ended) {
            Report(kCorrupt, address, "the node goes on behind its boundary");
            result->whole = false;
        }
        ended = splitter.Add(key, node.is_leaf() ? LeafItemSize(key.size(), node.Value(i).size())
                                                 : InternalItemSize(key.size()));
        if (node.is_leaf()) {
            if (i == 0) {
                result->first_key = key;
            }
        } else {
            const Hash child_address = node.ChildHash(i);
            const auto outer = std::make_pair(key_before_, last_key_);
            key_before_ = i > 0 ? &key_before : outer.first;
            last_key_ = &key;
            const Subtree child = CheckSubtree(child_address, at_edge && i + 1 == node.count());
            if (!child.whole || !FitsParent(child_address, child, node, i, key, key_before)) {
                result->whole = false;
            }
            std::tie(key_before_, last_key_) = outer;
            if (i == 0) {
                result->first_key = child.first_key;
            }
        }
        key_before = key;
    }
    result->last_key = key;
    if (!ended && !at_edge) {
        Report(kCorrupt, address, "the node ends before its boundary");
        result->whole = false;
    }
}

void TreeAudit::Report(const char* type, const Hash& address, const std::string& problem) {
    std::string keys;
    if (last_key_ != nullptr) {
        keys = "keys ";
        if (key_before_ != nullptr) {
            keys += "after " + Quoted(*key_before_) + " ";
        }
        keys += "up to " + Quoted(*last_key_);
    }
    report_(type, address, problem, keys);
}

// Whether a child is what its parent says of it.
bool TreeAudit::FitsParent(const Hash& address, const Subtree& child, const Node& parent, size_t i,
                           const std::string& last_key, const std::string& key_before) {
    bool fits = true;
    const auto refuse = [&](const char* type, const char* problem) {
        Report(type, address, problem);
        fits = false;
    };
    if (child.level != parent.level() - 1) {
        refuse(kCorrupt, "its level does not fit its parent's");
    }
    if (child.entries != parent.ChildEntries(i)) {
        refuse(kWrongCount, "its number of entries is not the one that its parent holds");
    }
    if (child.last_key != last_key) {
        refuse(kCorrupt, "its last key is not the one that its parent holds");
    }
    if (i > 0 && child.first_key <= key_before) {
        refuse(kCorrupt, "its keys do not come after those of the node before it");
    }
    return fits;
}

}  // namespace kvs::pg
