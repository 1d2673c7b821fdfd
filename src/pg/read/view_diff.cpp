#include "pg/read/view_diff.h"

#include <utility>

#include "kvs/entry/expiry.h"
#include "kvs/tree/chunk.h"
#include "kvs/version/same_contents.h"
#include "pg/read/pattern_scan.h"
#include "pg/wall/convert.h"
#include "pg/wall/server_hasher.h"

namespace kvs::pg {

namespace {

// Whether two items hold the same value. A working row carries inline what a tree refers to as a blob.
bool SameValue(const DataItem& a, const DataItem& b) {
    if (a.type != b.type || a.PayloadSize() != b.PayloadSize()) {
        return false;
    }
    if (a.blob.has_value() == b.blob.has_value()) {
        return a.blob ? a.blob->address == b.blob->address : a.payload == b.payload;
    }
    const DataItem& inlined = a.blob ? b : a;
    const DataItem& referring = a.blob ? a : b;
    ServerHasher hasher;
    return ChunkAddress(hasher, EncodeBlob(inlined.payload)) == referring.blob->address;
}

bool IsLiving(std::string_view meta) {
    return !meta.empty() && !DecodeMetadataHeader(meta).OrThrow().deleted();
}

}  // namespace

const char* DiffTypeName(DiffType type) {
    switch (type) {
        case DiffType::kAdded:
            return "added";
        case DiffType::kModified:
            return "modified";
        case DiffType::kRemoved:
            return "removed";
        case DiffType::kMetadata:
            return "metadata";
    }
    return "";
}

ViewDiff::ViewDiff(const ReadView& from, const ReadView& to, const Pattern* pattern)
    : chunks_(from.snapshot), from_(chunks_, from), to_(chunks_, to) {
    if (pattern == nullptr || pattern->MatchesEverything()) {
        ranges_.emplace_back();
        return;
    }
    pattern_ = *pattern;
    for (const Pattern::Range& range : pattern->Ranges()) {
        ranges_.push_back(ToKeyRange(range));
    }
}

void ViewDiff::set_snapshot(Snapshot snapshot) {
    chunks_.set_snapshot(snapshot);
    for (Side* side : {&from_, &to_}) {
        side->view.snapshot = snapshot;
        if (side->rows) {
            side->rows->set_snapshot(snapshot);
        }
    }
}

void ViewDiff::OpenRange(const KeyRange& range) {
    data_.emplace(chunks_, from_.view.roots.data_root, to_.view.roots.data_root, range);
    metadata_.emplace(chunks_, from_.view.roots.meta_root, to_.view.roots.meta_root, range);
    data_change_ = data_->Next();
    metadata_change_ = metadata_->Next();
    for (Side* side : {&from_, &to_}) {
        side->rows.emplace(side->view.snapshot, side->view.overlay, range, kWorkingItem | kWorkingMeta);
    }
}

// Moves the streams behind the current key.
void ViewDiff::LeaveKey() {
    if (data_differs_) {
        data_change_ = data_->Next();
    }
    if (metadata_differs_) {
        metadata_change_ = metadata_->Next();
    }
    for (Side* side : {&from_, &to_}) {
        if (side->row != nullptr) {
            side->rows->Take();
        }
        side->row = nullptr;
        side->item.reset();
        side->meta.reset();
    }
    data_differs_ = metadata_differs_ = false;
}

// The smallest key that one of the streams stands on; false if all have ended.
bool ViewDiff::FindKey() {
    from_.row = from_.rows->Peek();
    to_.row = to_.rows->Peek();
    std::optional<std::string_view> smallest;
    const auto offer = [&](std::string_view key) {
        if (!smallest || key < *smallest) {
            smallest = key;
        }
    };
    if (data_change_) {
        offer(data_change_->key);
    }
    if (metadata_change_) {
        offer(metadata_change_->key);
    }
    for (const Side* side : {&from_, &to_}) {
        if (side->row != nullptr) {
            offer(side->row->key);
        }
    }
    if (!smallest) {
        return false;
    }
    key_ = *smallest;
    data_differs_ = data_change_ && data_change_->key == key_;
    metadata_differs_ = metadata_change_ && metadata_change_->key == key_;
    for (Side* side : {&from_, &to_}) {
        if (side->row != nullptr && side->row->key != key_) {
            side->row = nullptr;
        }
    }
    return true;
}

bool ViewDiff::Next() {
    for (;;) {
        if (data_) {
            LeaveKey();
        }
        while (!data_ || !FindKey()) {
            if (next_range_ == ranges_.size()) {
                return false;
            }
            OpenRange(ranges_[next_range_++]);
        }
        if ((!pattern_ || pattern_->Matches(key_)) && Differs()) {
            return true;
        }
    }
}

// Whether the two states differ at the current key; sets type_ then.
bool ViewDiff::Differs() {
    if (!data_differs_ && from_.row == nullptr && to_.row == nullptr) {
        // The values are equal, or there are none. Most often only the versions differ.
        if (!IsLiving(from_meta()) || !IsLiving(to_meta()) || SameTagsAndSchema(from_meta(), to_meta())) {
            return false;
        }
    }
    ReadItem(&from_);
    ReadItem(&to_);
    const bool same_value = from_.item && to_.item && SameValue(*from_.item, *to_.item);
    if (same_value && from_.item->expires_at == to_.item->expires_at &&
        SameTagsAndSchema(from_meta(), to_meta())) {
        return false;
    }
    for (Side* side : {&from_, &to_}) {
        if (side->item && IsExpired(side->item->expires_at, side->view.now)) {
            side->item.reset();
        }
    }
    if (from_.item && to_.item) {
        type_ = same_value ? DiffType::kMetadata : DiffType::kModified;
        return true;
    }
    type_ = to_.item ? DiffType::kAdded : DiffType::kRemoved;
    return from_.item.has_value() != to_.item.has_value();
}

void ViewDiff::ReadItem(Side* side) {
    std::optional<std::string_view> item;
    if (side->row != nullptr) {
        if (!side->row->deleted) {
            item = side->row->item;
        }
    } else if (data_differs_) {
        item = side == &from_ ? data_change_->from : data_change_->to;
    } else if (side->data.Seek(key_) && side->data.CompareKey(key_) == 0) {
        item = side->data.value();
    }
    if (item) {
        side->item = DecodeDataItem(*item).OrThrow();
    }
}

std::string_view ViewDiff::MetaOf(Side* side) {
    if (!side->meta) {
        side->meta.emplace();
        if (side->row != nullptr) {
            side->meta = side->row->meta;
        } else if (metadata_differs_) {
            const auto& meta = side == &from_ ? metadata_change_->from : metadata_change_->to;
            side->meta = meta.value_or(std::string_view());
        } else if (side->metadata.Seek(key_) && side->metadata.CompareKey(key_) == 0) {
            side->meta = side->metadata.value();
        }
    }
    return *side->meta;
}

}  // namespace kvs::pg
