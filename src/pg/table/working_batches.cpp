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

WorkingBatches::WorkingBatches(Snapshot snapshot, const Epochs& epochs, KeyRange range, int parts,
                               bool reverse)
    : snapshot_(snapshot), range_(std::move(range)), parts_(parts), reverse_(reverse) {
    epochs_.reserve(epochs.count);
    for (const int64 number : epochs) {
        epochs_.push_back({number, kFirstBatch});
    }
    NoteRead(epochs);
}

const WorkingBatches::Row* WorkingBatches::Peek() {
    if (next_ == nullptr) {
        for (Epoch& epoch : epochs_) {
            while (next_ != nullptr && HasRow(&epoch) && epoch.rows.front().key == next_->rows.front().key) {
                epoch.rows.pop_front();
            }
            if (HasRow(&epoch) &&
                (next_ == nullptr || ComesBefore(epoch.rows.front(), next_->rows.front()))) {
                next_ = &epoch;
            }
        }
    }
    return next_ == nullptr ? nullptr : &next_->rows.front();
}

WorkingBatches::Row WorkingBatches::Take() {
    Row row = std::move(next_->rows.front());
    next_->rows.pop_front();
    next_ = nullptr;
    return row;
}

bool WorkingBatches::HasRow(Epoch* epoch) {
    if (epoch->rows.empty() && !epoch->exhausted) {
        Fetch(epoch);
    }
    return !epoch->rows.empty();
}

bool WorkingBatches::ComesBefore(const Row& a, const Row& b) const {
    return reverse_ ? a.key > b.key : a.key < b.key;
}

void WorkingBatches::NoteRead(const Epochs& epochs) {
    Guarded([&] {
        if (!IsolationIsSerializable() || epochs.count == 0) {
            return;
        }
        WorkingRange range;
        range.start = MakeVarlena(range_.start);
        if (range_.end) {
            range.end = MakeVarlena(*range_.end);
        }
        Table working = OpenWorkingForRead();
        NoteReadOfLaterEpochs(&working, snapshot_, epochs, range);
        Close(&working);
    });
}

void WorkingBatches::Fetch(Epoch* epoch) {
    const int wanted = epoch->batch_size;
    epoch->batch_size = std::min(epoch->batch_size * 4, kLargestBatch);
    bool more = false;
    Guarded([&] {
        MemoryContext context =
            AllocSetContextCreate(CurrentMemoryContext, "kvs working rows", ALLOCSET_DEFAULT_SIZES);
        MemoryContext caller = MemoryContextSwitchTo(context);
        WorkingRange range;
        const bool resumes = epoch->last_key.has_value();
        range.start = MakeVarlena(resumes && !reverse_ ? *epoch->last_key : range_.start);
        range.start_inclusive = !(resumes && !reverse_);
        if (resumes && reverse_) {
            range.end = MakeVarlena(*epoch->last_key);
        } else if (range_.end) {
            range.end = MakeVarlena(*range_.end);
        }
        Table working = OpenWorkingForRead();
        IndexScanDesc scan = BeginWorkingScan(&working, snapshot_, epoch->number, range);
        const ScanDirection direction = reverse_ ? BackwardScanDirection : ForwardScanDirection;
        int fetched = 0;
        WorkingRow row;
        struct varlena* key;
        while (fetched < wanted && NextWorking(&working, scan, direction, parts_, &row, &key)) {
            CHECK_FOR_INTERRUPTS();
            epoch->rows.push_back({std::string(Contents(key)),
                                   row.meta != nullptr ? std::string(Contents(row.meta)) : std::string(),
                                   row.item != nullptr ? std::string(Contents(row.item)) : std::string(),
                                   row.item == nullptr});
            fetched++;
        }
        more = fetched == wanted;
        index_endscan(scan);
        Close(&working);
        MemoryContextSwitchTo(caller);
        MemoryContextDelete(context);
    });
    epoch->exhausted = !more;
    if (!epoch->rows.empty()) {
        epoch->last_key = epoch->rows.back().key;
    }
}

}  // namespace kvs::pg
