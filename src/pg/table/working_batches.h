// The working rows of a branch in key order, out of all its live epochs, fetched in batches so that no server
// resource is held between two calls: each batch is an index scan of its own under the snapshot of the
// caller.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "kvs/tree/tree.h"
#include "pg/table/epochs.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class WorkingBatches {
  public:
    struct Row {
        std::string key;
        std::string meta;  // encoded metadata; empty unless asked for
        std::string item;  // encoded data item; empty if deleted
        bool deleted;
    };

    // No epochs: no rows at all. `parts`: enum WorkingParts.
    WorkingBatches(Snapshot snapshot, const Epochs& epochs, KeyRange range, int parts, bool reverse = false);

    // The row that comes next, null after the last; it stays until it is taken. Should a snapshot ever see
    // two rows of one key, only that of the later epoch is given.
    const Row* Peek();

    // Takes the row that Peek has given.
    Row Take();

    // For what outlives one call: the snapshot of the call that runs.
    void set_snapshot(Snapshot snapshot) { snapshot_ = snapshot; }

  private:
    struct Epoch {
        int64 number;
        int batch_size;
        bool exhausted = false;
        std::deque<Row> rows = {};
        std::optional<std::string> last_key = {};  // of the last batch; the next one begins behind it
    };

    bool HasRow(Epoch* epoch);
    bool ComesBefore(const Row& a, const Row& b) const;
    void Fetch(Epoch* epoch);
    void NoteRead(const Epochs& epochs);

    Snapshot snapshot_;
    KeyRange range_;
    int parts_;
    bool reverse_;
    std::vector<Epoch> epochs_;  // the latest first
    Epoch* next_ = nullptr;      // whose first row Peek has given
};

}  // namespace kvs::pg
