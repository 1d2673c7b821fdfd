#include "pg/table/working_batches.h"

#include <algorithm>
#include <utility>

#include "pg/table/working_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

constexpr int kFirstBatch = 32;  // a LIMIT should not pay for rows that it does not want
constexpr int kLargestBatch = 2048;

}  // namespace

WorkingBatches::WorkingBatches(Snapshot snapshot, int32 branch, KeyRange range, int parts, bool reverse)
    : snapshot_(snapshot),
      branch_(branch),
      range_(std::move(range)),
      parts_(parts),
      reverse_(reverse),
      batch_size_(kFirstBatch),
      exhausted_(branch == 0) {}

const WorkingBatches::Row* WorkingBatches::Peek() {
    if (rows_.empty() && !exhausted_) {
        Fetch();
    }
    return rows_.empty() ? nullptr : &rows_.front();
}

WorkingBatches::Row WorkingBatches::Take() {
    Row row = std::move(rows_.front());
    rows_.pop_front();
    return row;
}

void WorkingBatches::Fetch() {
    const int wanted = batch_size_;
    batch_size_ = std::min(batch_size_ * 4, kLargestBatch);
    bool more = false;
    Guarded([&] {
        MemoryContext context =
            AllocSetContextCreate(CurrentMemoryContext, "kvs working rows", ALLOCSET_DEFAULT_SIZES);
        MemoryContext caller = MemoryContextSwitchTo(context);
        WorkingRange range = {};
        const bool resumes = last_key_.has_value();
        range.start = MakeVarlena(resumes && !reverse_ ? *last_key_ : range_.start);
        range.start_inclusive = !(resumes && !reverse_);
        if (resumes && reverse_) {
            range.end = MakeVarlena(*last_key_);
        } else if (range_.end) {
            range.end = MakeVarlena(*range_.end);
        }
        Table working = OpenWorkingForRead();
        IndexScanDesc scan = BeginWorkingScan(&working, snapshot_, branch_, range);
        const ScanDirection direction = reverse_ ? BackwardScanDirection : ForwardScanDirection;
        int fetched = 0;
        WorkingRow row;
        struct varlena* key;
        while (!more && NextWorking(&working, scan, direction, parts_, &row, &key)) {
            CHECK_FOR_INTERRUPTS();
            const bool same_key = fetched > 0 && rows_.back().key == Contents(key);
            if (same_key && rows_.back().change_seq > row.change_seq) {
                continue;
            }
            if (same_key) {
                rows_.pop_back();
                fetched--;
            }
            // The row behind the batch is looked at, so that a batch never ends between two rows of one key.
            more = fetched == wanted;
            if (!more) {
                rows_.push_back({std::string(Contents(key)),
                                 row.meta != nullptr ? std::string(Contents(row.meta)) : std::string(),
                                 row.item != nullptr ? std::string(Contents(row.item)) : std::string(),
                                 row.item == nullptr, row.change_seq});
                fetched++;
            }
        }
        index_endscan(scan);
        Close(&working);
        MemoryContextSwitchTo(caller);
        MemoryContextDelete(context);
    });
    exhausted_ = !more;
    if (!rows_.empty()) {
        last_key_ = rows_.back().key;
    }
}

}  // namespace kvs::pg
