// What differs between two states, key by key in the order of the keys: commits, or branches with their
// uncommitted work.
//
// An entry that is stored alike on both sides, with its expiry, is no difference. Any other counts as what it
// reads as: one whose time was over at the moment of its side (ReadView::now) is absent there.
//
//     stored in commit 1, made at 10:00    in commit 2, made at 12:00    difference
//     b = 1                                b = 2 until 11:00             b removed
//     nothing                              c = 1 until 11:00             none
//     d = 1 until 11:00                    d = 1 until 11:00             none, though d reads as absent in 2
//
// The last one is the price of a cost that is that of the changes: what both trees share is not visited, and
// no index tells what expired between two moments. So that a flush changes nothing that can be read, it holds
// for entries that are visited, too.
//
// Four streams are merged: the difference of the two data trees, that of the two metadata trees, and the
// working rows that overlay either side. So the cost is that of what differs and of the uncommitted rows, not
// of the store; versions alone do not make a difference, but keys that were written again with what they held
// are looked at. A working row that says what the trees say is no difference.
//
// No server resource is held between two calls of Next, so a diff may be dropped at any time, by a destructor
// alone. Errors: kCorruption.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/codec/item.h"
#include "kvs/pattern/pattern.h"
#include "kvs/tree/cursor.h"
#include "kvs/tree/diff.h"
#include "kvs/version/commit.h"
#include "pg/read/read_view.h"
#include "pg/table/branch_table.h"
#include "pg/table/working_batches.h"

namespace kvs::pg {

enum class DiffType {
    kAdded,
    kModified,
    kRemoved,
    kMetadata,  // the value is the same; tags, expiry or schema are not
};

// "added", "modified", ...: the diff_type column of kvs.diff_row.
const char* DiffTypeName(DiffType type);

class ViewDiff {
  public:
    // Only keys that match `pattern`, if there is one; the rest of the trees is not visited. Both views must
    // be of the same snapshot.
    ViewDiff(const ReadView& from, const ReadView& to, const Pattern* pattern = nullptr);
    ViewDiff(const ViewDiff&) = delete;
    ViewDiff& operator=(const ViewDiff&) = delete;

    // Moves to the next key that differs; false after the last.
    bool Next();

    // Of the current key; valid until Next is called again.
    std::string_view key() const { return key_; }
    DiffType type() const { return type_; }
    // The entry on either side, null where it reads as absent. A payload may lie in a blob.
    const DataItem* from_item() const { return from_.item ? &*from_.item : nullptr; }
    const DataItem* to_item() const { return to_.item ? &*to_.item : nullptr; }
    // Encoded metadata, of a tombstone too; empty if the key was never written on that side.
    std::string_view from_meta() { return MetaOf(&from_); }
    std::string_view to_meta() { return MetaOf(&to_); }

    // The payload of one of the items, wherever it lies; `holder` keeps the bytes of a blob.
    std::string_view LoadPayload(const DataItem& item, std::string* holder) {
        return PayloadOf(item, &chunks_, holder);
    }

    // The snapshot of the statement, to be set anew in each call of a function that spans several.
    void set_snapshot(Snapshot snapshot);

  private:
    // One of the two states.
    struct Side {
        Side(ChunkStore& chunks, const ReadView& view)
            : view(view), data(chunks, view.roots.data_root), metadata(chunks, view.roots.meta_root) {}

        ReadView view;
        Cursor data;  // for what the differences of the trees do not tell
        Cursor metadata;
        std::optional<WorkingBatches> rows;  // of the range that is being walked

        // Of the current key.
        const WorkingBatches::Row* row = nullptr;
        std::optional<DataItem> item;
        std::optional<std::string_view> meta;  // once it is known
    };

    void OpenRange(const KeyRange& range);
    void LeaveKey();
    bool FindKey();
    bool Differs();
    void ReadItem(Side* side);
    std::string_view MetaOf(Side* side);

    ChunkStore chunks_;
    Side from_;
    Side to_;
    std::optional<Pattern> pattern_;
    std::vector<KeyRange> ranges_;
    size_t next_range_ = 0;

    // Of the range that is being walked, each with the change that comes next.
    std::optional<DiffCursor> data_;
    std::optional<TreeChange> data_change_;
    std::optional<DiffCursor> metadata_;
    std::optional<TreeChange> metadata_change_;

    std::string key_;
    bool data_differs_ = false;  // data_change_ is that of the current key
    bool metadata_differs_ = false;
    DiffType type_ = DiffType::kAdded;
};

}  // namespace kvs::pg
