// What trees say of the changes that made their entries, against the log: the other direction of a check that
// follows the log to the states.
//
// An item of metadata names the change that wrote it, (log_id, seq). If that log is this one, then the change
// is there and is of that key, and the item is the very bytes that the change recorded; or it is a range
// record, between whose states the item came into being. Names are never given twice, so this holds in every
// tree of every commit, whoever took the entry over since. That a change is *there* can be asked only where
// nothing was brought from elsewhere: another store may give back what this one pushed and then rolled back,
// or lost in a restore. And only from the low-water mark of the log on.
//
// Items and changes are sorted by number, and then compared in one pass. Of an item that many leaves repeat
// most repetitions are left out by a filter before the sort.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/codec/item.h"
#include "kvs/tree/tree_pair.h"
#include "pg/check/check_store.h"
#include "pg/check/log_epochs.h"
#include "pg/wall/row_sort.h"

namespace kvs::pg {

class ObjectCheck;

class ChangeClaims {
  public:
    explicit ChangeClaims(const LogEpochs* epochs);

    // A row of the log.
    void AddChange(int64 seq, std::string_view key, int64 version, std::string_view meta);
    void AddRange(int64 seq, const TreePair& from, const TreePair& to);
    void AddDamagedRange(int64 seq);

    // An item of a metadata tree, with what is known of it.
    void AddItem(std::string_view key, uint64_t key_fingerprint, std::string_view meta, uint64_t version,
                 const ChangeId& change);

    // After everything else was added. `objects` checked the states of range records. `low_seq`: the
    // low-water mark of the log.
    void Compare(ObjectCheck* objects, int64 low_seq, const FindingSink& sink);

  private:
    class Comparison;

    void AddRoots(int64 seq, std::string_view roots);
    bool IsKnown(uint64_t item);

    const LogEpochs* epochs_;
    RowSort rows_;
    std::vector<uint64_t> filter_;  // fingerprints of items that were added lately; 0: none
};

}  // namespace kvs::pg
