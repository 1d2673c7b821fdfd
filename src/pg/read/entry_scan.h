// An ordered scan over the living entries of a view: the trees' cursors merged with the working rows that
// overlay them.
//
// No server resource is held between two calls of Next: working rows are fetched in batches (WorkingBatches),
// and the trees are read through the chunk store. So a scan may be dropped at any time, by a destructor
// alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kvs/codec/item.h"
#include "kvs/tree/cursor.h"
#include "kvs/tree/tree.h"
#include "pg/read/read_view.h"
#include "pg/table/working_batches.h"

namespace kvs::pg {

class EntryScan {
  public:
    struct Options {
        KeyRange range;         // keys in [start, end)
        bool reverse = false;   // from the last to the first
        bool with_meta = true;  // meta() is wanted
    };

    EntryScan(const ReadView& view, Options options);

    // Moves to the next living entry; false after the last.
    bool Next();

    // Of the current entry; valid until Next is called again.
    std::string_view key() const { return key_; }
    const DataItem& item() const { return item_; }
    std::string_view meta() const { return meta_; }  // encoded

    // The payload wherever it lies, valid until Next is called again.
    std::string_view LoadPayload();

    ChunkStore& chunks() { return chunks_; }

    // The snapshot of the statement, to be set anew in each call of a function that spans several: the view's
    // own may have been copied.
    void set_snapshot(Snapshot snapshot);

  private:
    void StartTrees();
    bool TreeInRange() const;
    void AdvanceTree();
    bool TakeRow();
    bool TakeTreeEntry();
    bool SeekMetadata();

    ReadView view_;
    Options options_;
    ChunkStore chunks_;
    Cursor data_;
    Cursor metadata_;
    bool started_ = false;
    bool tree_valid_ = false;

    WorkingBatches rows_;
    WorkingBatches::Row row_;  // the current entry, if it came from a row
    std::string key_;
    DataItem item_;
    std::string_view meta_;
    NodeRef leaf_;       // keeps item_ alive
    NodeRef meta_leaf_;  // keeps meta_ alive
    std::string blob_;
};

}  // namespace kvs::pg
