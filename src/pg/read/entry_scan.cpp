#include "pg/read/entry_scan.h"

#include <utility>

#include "kvs/entry/expiry.h"
#include "kvs/util/quote.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

EntryScan::EntryScan(const ReadView& view, Options options)
    : view_(view),
      options_(std::move(options)),
      chunks_(view.snapshot),
      data_(chunks_, view.roots.data_root),
      metadata_(chunks_, view.roots.meta_root),
      rows_(view.snapshot, view.overlay, options_.range,
            options_.with_meta ? kWorkingItem | kWorkingMeta : kWorkingItem, options_.reverse) {}

void EntryScan::set_snapshot(Snapshot snapshot) {
    view_.snapshot = snapshot;
    chunks_.set_snapshot(snapshot);
    rows_.set_snapshot(snapshot);
}

void EntryScan::StartTrees() {
    if (!options_.reverse) {
        data_.Seek(options_.range.start);
    } else if (options_.range.end) {
        data_.SeekBefore(*options_.range.end);
    } else {
        data_.SeekLast();
    }
    tree_valid_ = TreeInRange();
}

bool EntryScan::TreeInRange() const {
    if (!data_.Valid()) {
        return false;
    }
    if (options_.reverse) {
        return data_.CompareKey(options_.range.start) >= 0;
    }
    return !options_.range.end || data_.CompareKey(*options_.range.end) < 0;
}

void EntryScan::AdvanceTree() {
    if (options_.reverse) {
        data_.Prev();
    } else {
        data_.Next();
    }
    tree_valid_ = TreeInRange();
}

// A merge of two sequences in key order: the entries of the data tree, and the branch's working rows, which
// come in batches. Both stand on what they have not given yet. The smaller key comes next; at equal keys the
// row hides the tree's entry, and both move on. A row that is a deletion, and an entry that has expired, take
// their key's turn and give nothing:
//
//     tree  a1 b1    d1          rows  b2 c2 d-          the scan gives  a1 b2 c2
//
// Backwards it is the same with the order reversed.
bool EntryScan::Next() {
    if (!started_) {
        StartTrees();
        started_ = true;
    }
    for (;;) {
        const WorkingBatches::Row* row = rows_.Peek();
        if (row == nullptr && !tree_valid_) {
            return false;
        }
        // Which comes first: negative the tree's entry, positive the row's, 0 the row replaces the entry.
        int order = 0;
        if (row == nullptr) {
            order = -1;
        } else if (!tree_valid_) {
            order = 1;
        } else {
            order = data_.CompareKey(row->key);
            if (options_.reverse) {
                order = -order;
            }
        }
        const bool taken = order < 0 ? TakeTreeEntry() : TakeRow();
        if (order <= 0) {
            AdvanceTree();
        }
        if (taken && !IsExpired(item_.expires_at, view_.now)) {
            return true;
        }
    }
}

bool EntryScan::TakeRow() {
    row_ = rows_.Take();
    if (row_.deleted) {
        return false;
    }
    key_ = row_.key;
    item_ = DecodeDataItem(row_.item).OrThrow();
    meta_ = row_.meta;
    return true;
}

// The metadata tree has the same keys, and tombstones: mostly the next one is it.
bool EntryScan::SeekMetadata() {
    if (metadata_.Valid() && (options_.reverse ? metadata_.Prev() : metadata_.Next()) &&
        metadata_.CompareKey(key_) == 0) {
        return true;
    }
    return metadata_.Seek(key_) && metadata_.CompareKey(key_) == 0;
}

bool EntryScan::TakeTreeEntry() {
    key_ = data_.key();
    leaf_ = data_.leaf();
    item_ = DecodeDataItem(data_.value()).OrThrow();
    if (options_.with_meta) {
        if (!SeekMetadata()) {
            throw Damaged("key " + Quoted(key_) + " has no metadata");
        }
        meta_leaf_ = metadata_.leaf();
        meta_ = metadata_.value();
    }
    return true;
}

std::string_view EntryScan::LoadPayload() {
    return PayloadOf(item_, &chunks_, &blob_);
}

}  // namespace kvs::pg
