// Which changes have a position in the stream, by the last tick: those whose transactions had ended then.
//
// Numbers of transactions are compared only where the change and the tick are of one cluster and database
// (_kvs.store). What came to this database from elsewhere, in a dump or a copy, had its place in the stream
// before; what was written here since has none yet.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/stream/xid_set.h"
#include "pg/table/change_log.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class OrderedChanges {
  public:
    // None has a position.
    OrderedChanges() = default;

    // By the last tick that the snapshot shows.
    explicit OrderedChanges(Snapshot snapshot);

    bool Has(const ChangeMark& mark) const;

    // All with lower numbers have a position, or will never be committed.
    int64 low_seq() const { return low_seq_; }

    // The position given last; 0: none.
    int64 last_pos() const { return last_pos_; }

    const XidSet& ended() const { return ended_; }

    // --- for the sequencer ---

    // From now on those have a position whose transactions `ended` has, transactions of this cluster.
    void Advance(XidSet ended);

    // The epochs of the store that the snapshot shows.
    void ReadEpochs(Snapshot snapshot);

    // The newest of these; epoch 0: there is none. That of a change.
    StoreEpoch newest() const { return epochs_.empty() ? StoreEpoch() : epochs_.back(); }
    StoreEpoch EpochOf(int64 seq) const;

    // Changes with lower numbers were written elsewhere: no transaction of this cluster can commit one any
    // more.
    int64 FirstSeqOfCluster() const;

  private:
    int64 last_pos_ = 0;
    int64 low_seq_ = 1;
    XidSet ended_;
    StoreEpoch ended_epoch_;  // that ended_ is of; epoch 0: of none
    std::vector<StoreEpoch> epochs_;
};

// Whether all committed changes that `seen` shows have a position, as `latest` shows it.
bool AreOrdered(Snapshot seen, Snapshot latest);

}  // namespace kvs::pg
