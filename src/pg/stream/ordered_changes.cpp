#include "pg/stream/ordered_changes.h"

#include <algorithm>
#include <utility>

#include "pg/stream/tick_table.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

OrderedChanges::OrderedChanges(Snapshot snapshot) {
    ReadEpochs(snapshot);
    const std::optional<Tick> last = ReadLastTick(snapshot);
    if (!last) {
        return;
    }
    last_pos_ = last->last_pos;
    low_seq_ = last->low_seq;
    ended_ = XidSet::Parse(last->snapshot);
    const auto of_tick = std::find_if(epochs_.begin(), epochs_.end(), [&](const StoreEpoch& epoch) {
        return epoch.epoch == EpochOfPosition(last_pos_);
    });
    if (of_tick != epochs_.end()) {
        ended_epoch_ = *of_tick;
    }
}

void OrderedChanges::ReadEpochs(Snapshot snapshot) {
    epochs_ = ReadStoreEpochs(snapshot);
}

void OrderedChanges::Advance(XidSet ended) {
    ended_ = std::move(ended);
    ended_epoch_ = newest();
}

bool OrderedChanges::Has(const ChangeMark& mark) const {
    const StoreEpoch epoch = EpochOf(mark.seq);
    return epoch.IsOfSameCluster(ended_epoch_) ? ended_.Has(mark.xid) : epoch.epoch <= ended_epoch_.epoch;
}

StoreEpoch OrderedChanges::EpochOf(int64 seq) const {
    const auto later = std::upper_bound(epochs_.begin(), epochs_.end(), seq,
                                        [](int64 s, const StoreEpoch& epoch) { return s < epoch.first_seq; });
    return later == epochs_.begin() ? newest() : *(later - 1);
}

int64 OrderedChanges::FirstSeqOfCluster() const {
    int64 first = 0;
    for (auto epoch = epochs_.rbegin(); epoch != epochs_.rend() && epoch->IsOfSameCluster(newest());
         ++epoch) {
        first = epoch->first_seq;
    }
    return first;
}

bool AreOrdered(Snapshot seen, Snapshot latest) {
    const OrderedChanges ordered(latest);
    const ChangeMembers members = Guarded([&] { return ReadChangeMembers(seen); });
    const uint64_t own = Guarded([] { return U64FromFullTransactionId(GetTopFullTransactionIdIfAny()); });
    bool all = true;
    ForEachChange(members, seen, ordered.low_seq(), PG_INT64_MAX,
                  [&](const ChangeMark& mark) { all = all && (mark.xid == own || ordered.Has(mark)); });
    return all;
}

}  // namespace kvs::pg
