#include "kvs/version/object_walk.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "kvs/codec/item.h"
#include "kvs/codec/key.h"
#include "kvs/error.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"

namespace kvs {

namespace {

uint64_t HashKey(std::string_view key) {
    return std::hash<std::string_view>()(key);
}

[[noreturn]] void ThrowCorrupt(const Hash& address, const std::string& problem) {
    throw Error(ErrorCode::kCorruption, "chunk " + address.ToHex() + " " + problem);
}

void ThrowIfFound(const Hash& address, const char* fault) {
    if (fault != nullptr) {
        ThrowCorrupt(address, std::string("holds ") + fault);
    }
}

void CheckNode(const ObjectWalk::Step& step, const Node& node) {
    if (step.level < 0) {
        if (node.count() == 0) {
            ThrowCorrupt(step.address, "is an empty root");
        }
        return;
    }
    std::string last_key;
    node.Key(node.count() - 1, &last_key);
    if (node.level() != step.level) {
        ThrowCorrupt(step.address, "is not of the level that its parent says");
    }
    if (node.entries() != step.size) {
        ThrowCorrupt(step.address, "has not the number of entries that its parent says");
    }
    if (HashKey(last_key) != step.last_key) {
        ThrowCorrupt(step.address, "has not the last key that its parent says");
    }
}

}  // namespace

void ObjectWalk::Add(const Commit& commit, const TreePair* base) {
    const TreePair trees = base != nullptr ? *base : TreePair();
    if (bases_.empty() || bases_.back() != trees) {
        bases_.push_back(trees);
    }
    const auto index = static_cast<uint32_t>(bases_.size() - 1);
    AddRoot(commit.data_root, ChunkRole::kData, index);
    AddRoot(commit.meta_root, ChunkRole::kMetadata, index);
    for (const auto& tree : commit.trees) {
        AddRoot(tree.second, ChunkRole::kOther, index);
    }
}

void ObjectWalk::AddRoot(const Hash& root, ChunkRole role, uint32_t base) {
    if (root != BaseRoot(role, base)) {
        Push({root, 0, 0, base, role, -1, ValueType::kBytes});
    }
}

void ObjectWalk::Push(const Step& step) {
    if (step.address == kEmptyRoot) {
        return;
    }
    if (met_.size() >= memory_) {
        met_.clear();
    }
    if (met_.insert(step.address).second) {
        pending_.push_back(step);
    }
}

const Hash& ObjectWalk::BaseRoot(ChunkRole role, uint32_t base) const {
    switch (role) {
        case ChunkRole::kData:
            return bases_[base].data_root;
        case ChunkRole::kMetadata:
            return bases_[base].meta_root;
        default:
            return kEmptyRoot;
    }
}

std::vector<ObjectWalk::Step> ObjectWalk::Take(size_t limit) {
    const size_t count = std::min(limit, pending_.size());
    const auto first = pending_.end() - static_cast<ptrdiff_t>(count);
    std::vector<Step> steps(first, pending_.end());
    pending_.erase(first, pending_.end());
    return steps;
}

// Nodes end where their contents say, so a node that both trees have stands in both behind the same keys.
bool ObjectWalk::BaseHas(const Hash& root, int level, std::string_view last_key, const Hash& address) {
    if (root == kEmptyRoot) {
        return false;
    }
    const auto holds = [&](const Node& parent) {
        const size_t i = parent.LowerBound(last_key);
        return i < parent.count() && parent.ChildHash(i) == address;
    };
    if (last_base_node_ != nullptr && last_base_root_ == root && last_base_node_->level() == level + 1 &&
        holds(*last_base_node_)) {
        return true;
    }
    NodeRef node = store_->ReadNode(root);
    if (node->level() <= level) {
        return node->level() == level && root == address;
    }
    while (node->level() > level + 1) {
        const size_t i = node->LowerBound(last_key);
        if (i == node->count()) {
            return false;
        }
        node = store_->ReadNode(node->ChildHash(i));
    }
    if (last_base_root_ != root) {
        last_base_leaf_.reset();
        last_base_root_ = root;
    }
    last_base_node_ = node;
    return holds(*node);
}

// Whether the entry at `key` of the base has the same blob.
bool ObjectWalk::BaseHasBlob(const Hash& root, std::string_view key, const Hash& address) {
    if (root == kEmptyRoot) {
        return false;
    }
    const auto holds = [&](const Node& leaf) {
        const std::optional<size_t> i = leaf.Find(key);
        if (!i) {
            return false;
        }
        const DataItem item = DecodeDataItem(leaf.Value(*i)).OrThrow();
        return item.blob && item.blob->address == address;
    };
    if (last_base_leaf_ != nullptr && last_base_root_ == root && holds(*last_base_leaf_)) {
        return true;
    }
    NodeRef node = store_->ReadNode(root);
    while (!node->is_leaf()) {
        const size_t i = node->LowerBound(key);
        if (i == node->count()) {
            return false;
        }
        node = store_->ReadNode(node->ChildHash(i));
    }
    if (last_base_root_ != root) {
        last_base_node_.reset();
        last_base_root_ = root;
    }
    last_base_leaf_ = node;
    return holds(*node);
}

void ObjectWalk::Expand(const Step& step, std::string raw_chunk) {
    if (step.role == ChunkRole::kBlob) {
        ExpandBlob(step, raw_chunk);
        return;
    }
    const Result<NodeRef> parsed = Node::Parse(std::move(raw_chunk));
    if (!parsed.ok()) {
        ThrowCorrupt(step.address, std::string("is not a valid node: ") + parsed.error().what());
    }
    const Node& node = *parsed.value();
    CheckNode(step, node);
    if (node.is_leaf()) {
        ExpandLeaf(step, node);
    } else {
        ExpandInternal(step, node);
    }
}

void ObjectWalk::ExpandBlob(const Step& step, std::string_view raw_chunk) {
    const Result<std::string_view> payload = DecodeBlob(raw_chunk);
    if (!payload.ok()) {
        ThrowCorrupt(step.address, std::string("is not a valid blob: ") + payload.error().what());
    }
    if (payload.value().size() != step.size) {
        ThrowCorrupt(step.address, "has not the size that its entry says");
    }
    if (check_ != nullptr) {
        ThrowIfFound(step.address, check_->CheckPayload(step.type, payload.value()));
    }
}

void ObjectWalk::ExpandInternal(const Step& step, const Node& node) {
    const Hash base = BaseRoot(step.role, step.base);
    std::string key;
    for (size_t i = 0; i < node.count(); i++) {
        node.Key(i, &key);
        const Hash child = node.ChildHash(i);
        if (!BaseHas(base, node.level() - 1, key, child)) {
            Push({child, node.ChildEntries(i), HashKey(key), step.base, step.role,
                  static_cast<int8_t>(node.level() - 1), ValueType::kBytes});
        }
    }
}

void ObjectWalk::ExpandLeaf(const Step& step, const Node& node) {
    if (step.role == ChunkRole::kOther) {
        return;
    }
    std::string key;
    for (size_t i = 0; i < node.count(); i++) {
        node.Key(i, &key);
        if (const Status valid = ValidateKey(key); !valid.ok()) {
            ThrowCorrupt(step.address, std::string("holds a malformed key: ") + valid.error().what());
        }
        if (check_ != nullptr) {
            ThrowIfFound(step.address, check_->CheckText(key));
        }
        if (step.role == ChunkRole::kMetadata) {
            CheckMetadataItem(step, node.Value(i));
        } else {
            ExpandItem(step, key, node.Value(i));
        }
    }
}

void ObjectWalk::ExpandItem(const Step& step, std::string_view key, std::string_view encoded) {
    const Result<DataItem> decoded = DecodeDataItem(encoded);
    if (!decoded.ok()) {
        ThrowCorrupt(step.address, std::string("holds a malformed value: ") + decoded.error().what());
    }
    const DataItem& item = decoded.value();
    if (check_ != nullptr && item.expires_at) {
        ThrowIfFound(step.address, check_->CheckTime(*item.expires_at));
    }
    if (!item.blob) {
        if (check_ != nullptr) {
            ThrowIfFound(step.address, check_->CheckPayload(item.type, item.payload));
        }
    } else if (!BaseHasBlob(BaseRoot(step.role, step.base), key, item.blob->address)) {
        Push({item.blob->address, item.blob->size, 0, step.base, ChunkRole::kBlob, -1, item.type});
    }
}

void ObjectWalk::CheckMetadataItem(const Step& step, std::string_view encoded) {
    const Result<Metadata> decoded = DecodeMetadata(encoded);
    if (!decoded.ok()) {
        ThrowCorrupt(step.address, std::string("holds malformed metadata: ") + decoded.error().what());
    }
    if (check_ == nullptr) {
        return;
    }
    const Metadata& metadata = decoded.value();
    ThrowIfFound(step.address, check_->CheckTime(metadata.created_at));
    ThrowIfFound(step.address, check_->CheckTime(metadata.updated_at));
    ThrowIfFound(step.address, check_->CheckText(metadata.origin));
    ThrowIfFound(step.address, check_->CheckText(metadata.modified_by));
    ThrowIfFound(step.address, check_->CheckText(metadata.comment.value_or("")));
    ThrowIfFound(step.address, check_->CheckText(metadata.schema_hash.value_or("")));
    for (const std::string& tag : metadata.tags) {
        ThrowIfFound(step.address, check_->CheckText(tag));
    }
}

}  // namespace kvs
