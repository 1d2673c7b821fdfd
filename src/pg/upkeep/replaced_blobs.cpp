#include "pg/upkeep/replaced_blobs.h"

#include <optional>
#include <utility>

#include "kvs/codec/item.h"
#include "kvs/tree/node.h"
#include "kvs/tree/tree.h"
#include "pg/chunk/pack_encoder.h"

namespace kvs::pg {

namespace {

std::optional<BlobRef> BlobOf(std::string_view value) {
    const Result<DataItem> item = DecodeDataItem(value);
    return item.ok() ? item.value().blob : std::nullopt;
}

}  // namespace

void ReplacedBlobs::Collect(const std::string& old_raw, const Hash& new_address) {
    const Result<NodeRef> old_node = Node::Parse(old_raw);
    if (!old_node.ok() || !old_node.value()->is_leaf()) {
        return;
    }
    const Node& old_leaf = *old_node.value();
    NodeRef new_leaf;
    std::string key;
    for (size_t i = 0; i < old_leaf.count(); i++) {
        const std::optional<BlobRef> old_blob = BlobOf(old_leaf.Value(i));
        if (!old_blob || old_blob->size > kMaxPackedChunkSize) {
            continue;
        }
        if (!new_leaf) {
            const StoredChunk stored = stored_->Read(new_address);
            Result<NodeRef> parsed = Node::Parse(stored.raw);
            if (stored.state != StoredChunk::State::kWhole || !parsed.ok() || !parsed.value()->is_leaf()) {
                return;
            }
            new_leaf = std::move(parsed).value();
        }
        const std::optional<size_t> found = new_leaf->Find(old_leaf.Key(i, &key));
        const std::optional<BlobRef> new_blob = found ? BlobOf(new_leaf->Value(*found)) : std::nullopt;
        if (new_blob && new_blob->address != old_blob->address && !IsHot(key, old_blob->address)) {
            families_.Add({old_blob->address, new_blob->address});
        }
    }
}

bool ReplacedBlobs::IsHot(const std::string& key, const Hash& blob) {
    for (const Hash& root : *hot_data_roots_) {
        const std::optional<FoundValue> found = Tree(chunks_, root).Get(key);
        const std::optional<BlobRef> at = found ? BlobOf(found->value) : std::nullopt;
        if (at && at->address == blob) {
            return true;
        }
    }
    return false;
}

}  // namespace kvs::pg
