// The working rows of a branch in key order, fetched in batches so that no server resource is held between
// two calls: each batch is an index scan of its own under the snapshot of the caller.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "kvs/tree/tree.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class WorkingBatches {
  public:
    struct Row {
        std::string key;
        std::string meta;  // encoded metadata; empty unless asked for
        std::string item;  // encoded data item; empty if deleted
        bool deleted;
        int64 change_seq;
    };

    // `branch` 0: no rows at all. `parts`: enum WorkingParts.
    WorkingBatches(Snapshot snapshot, int32 branch, KeyRange range, int parts, bool reverse = false);

    // The row that comes next, null after the last; it stays until it is taken. Should a snapshot ever see
    // two rows of one key, only the newer one is given.
    const Row* Peek();

    // Takes the row that Peek has given.
    Row Take();

    // For what outlives one call: the snapshot of the call that runs.
    void set_snapshot(Snapshot snapshot) { snapshot_ = snapshot; }

  private:
    void Fetch();

    Snapshot snapshot_;
    int32 branch_;
    KeyRange range_;
    int parts_;
    bool reverse_;
    std::deque<Row> rows_;
    int batch_size_;
    bool exhausted_;
    std::optional<std::string> last_key_;  // of the last batch; the next one begins behind it
};

}  // namespace kvs::pg
