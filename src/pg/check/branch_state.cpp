#include "pg/check/branch_state.h"

#include "kvs/codec/item.h"
#include "pg/check/fingerprint.h"

namespace kvs::pg {

BranchState::BranchState(ChunkStore* chunks, const TreePair& now, const std::optional<TreePair>& base)
    : data_(*chunks, now.data_root), metadata_(*chunks, now.meta_root) {
    if (base) {
        data_changes_.emplace(chunks, base->data_root, now.data_root);
        metadata_changes_.emplace(chunks, base->meta_root, now.meta_root);
    }
}

BranchState::Entry BranchState::Read(std::string_view key) {
    Entry entry;
    if (metadata_.Seek(key) && metadata_.CompareKey(key) == 0) {
        entry.version = DecodeMetadataHeader(metadata_.value()).OrThrow().version;
        entry.metadata = MetadataFingerprint(metadata_.value());
    }
    std::optional<std::string_view> item;
    if (data_.Seek(key) && data_.CompareKey(key) == 0) {
        item = data_.value();
    }
    entry.item = TreeItemFingerprint(item);
    return entry;
}

std::optional<std::string_view> BranchState::NextChanged(const std::optional<std::string_view>& before) {
    if (!data_changes_) {
        return std::nullopt;
    }
    Changes* const both[] = {&*data_changes_, &*metadata_changes_};
    const Changes* first = nullptr;
    for (Changes* each : both) {
        if (!each->is_open) {
            each->Step();
        }
        if (each->next && (first == nullptr || each->next->key < first->next->key)) {
            first = each;
        }
    }
    if (first == nullptr || (before && first->next->key >= *before)) {
        return std::nullopt;
    }
    changed_ = first->next->key;
    for (Changes* each : both) {
        if (each->next && each->next->key == changed_) {
            each->Step();
        }
    }
    return changed_;
}

}  // namespace kvs::pg
