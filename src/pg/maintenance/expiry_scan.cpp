// The scan of branches that came without events.
//
// Of a branch B in need of reminders and a branch K that has them, in a range of keys, all under one snapshot
// that shows nothing of the stream that has not been followed:
//
//   in the trees of B and K    reminder
//   different                  by what stands in B
//   alike, K has a row         by what stands in B: K's reminder is of the row
//   alike, K has none          that of K
//   B has a row                by the row
//
// Without a K all is different.
#include <algorithm>
#include <utility>

#include "kvs/codec/item.h"
#include "kvs/tree/diff.h"
#include "kvs/tree/tree.h"
#include "pg/chunk/chunk_store.h"
#include "pg/maintenance/expirer.h"
#include "pg/table/working_batches.h"
#include "pg/table/working_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

// Of one part.
constexpr int kMostKeys = 20000;

// Collects the reminders of a branch.
class Finder {
  public:
    Finder(const Branch& branch, Snapshot snapshot)
        : branch_(branch),
          snapshot_(snapshot),
          chunks_(snapshot),
          data_(chunks_, branch.working.data_root),
          meta_(chunks_, branch.working.meta_root) {}

    // Of what differs between the trees in the range. Should that be too much, the range ends earlier.
    void FindDifferent(const Hash& known_root, KeyRange* keys) {
        DiffCursor diff(chunks_, known_root, branch_.working.meta_root, *keys);
        int count = 0;
        while (const std::optional<TreeChange> change = diff.Next()) {
            Guarded([] { CHECK_FOR_INTERRUPTS(); });
            if (count++ == kMostKeys) {
                keys->end = change->key;
                return;
            }
            if (change->to) {
                Look(std::string(change->key), *change->to);
            }
        }
    }

    // Of the keys that have a row on the known branch.
    void FindBelowRowsOf(const Branch& known, const KeyRange& keys) {
        WorkingBatches rows(snapshot_, known.epochs, keys, 0);
        while (rows.Peek() != nullptr) {
            const std::string key = rows.Take().key;
            if (const std::optional<FoundValue> meta = meta_.Get(key)) {
                Look(key, meta->value);
            }
        }
    }

    void FindRows(const KeyRange& keys) {
        WorkingBatches rows(snapshot_, branch_.epochs, keys, kWorkingItem);
        while (rows.Peek() != nullptr) {
            const WorkingBatches::Row row = rows.Take();
            if (!row.deleted) {
                Note(row.key, row.item);
            }
        }
    }

    const std::vector<Reminder>& found() const { return found_; }

  private:
    // At what the trees hold; `meta` tells whether that has an end.
    void Look(const std::string& key, std::string_view meta) {
        if (DecodeMetadataHeader(meta).OrThrow().expires()) {
            if (const std::optional<FoundValue> item = data_.Get(key)) {
                Note(key, item->value);
            }
        }
    }

    void Note(const std::string& key, std::string_view item) {
        if (const auto end = DecodeDataItem(item).OrThrow().expires_at) {
            found_.push_back({ToServerTime(*end), branch_.id, key});
        }
    }

    const Branch& branch_;
    Snapshot snapshot_;
    ChunkStore chunks_;
    Tree data_;
    Tree meta_;
    std::vector<Reminder> found_;
};

}  // namespace

void Expirer::ScanPart(const BranchToScan& part, Snapshot snapshot) {
    Branch branch;
    if (!Guarded([&] { return ReadBranch(part.branch_id, snapshot, &branch); })) {
        ForgetBranch(part.branch_id);
        return;
    }
    KeyRange keys{part.next_key, std::nullopt};
    Branch known = {};
    std::optional<int32> known_id = ScannedBranchLike(branch.head);
    if (known_id && !Guarded([&] { return ReadBranch(*known_id, snapshot, &known); })) {
        known_id.reset();
    }
    if (known_id) {
        keys.end = ReminderBehind(*known_id, keys.start, kMostKeys);
    }
    Finder finder(branch, snapshot);
    finder.FindDifferent(known_id ? known.working.meta_root : kEmptyRoot, &keys);
    if (known_id) {
        finder.FindBelowRowsOf(known, keys);
        CopyReminders(*known_id, branch.id, keys);
    }
    finder.FindRows(keys);
    Remind(finder.found());
    NoteScanned(branch.id, keys.end);
    done_ = {};
}

}  // namespace kvs::pg
