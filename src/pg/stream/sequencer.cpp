#include "pg/stream/sequencer.h"

#include <algorithm>
#include <utility>

#include "kvs/tree/diff.h"
#include "pg/chunk/chunk_store.h"
#include "pg/stream/tick_table.h"
#include "pg/table/change_reader.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

// Of a tick, so that a position in the middle is found soon.
constexpr int kItemsOfTick = 4000;

// Beyond so many, gaps are joined with what lies between them.
constexpr size_t kMaxGaps = 100000;

// Gaps that lie so close are read together with what lies between them: a row read costs a tenth of a search.
constexpr int64 kReadTogether = 16;

// Columns of the sorts: by transaction, its changes from the last one on; then by position. Transactions of
// two clusters may have one number, so the epoch tells them apart.
enum FoundColumn { kFoundEpoch = 1, kFoundXid, kFoundNegativeSeq, kFoundIsRange };
enum OrderedColumn { kOrderedLastSeq = 1, kOrderedSeq, kOrderedIsRange };

template <typename Ranges>
int64 SpanBetween(const Ranges& before, const Ranges& behind) {
    return behind.first - before.last;
}

}  // namespace

uint64_t Sequencer::Step(Snapshot snapshot) {
    if (!loaded_) {
        Load(snapshot);
    }
    // In this order: no change beyond last_seq is visible, and none below it is written by a transaction from
    // the horizon on.
    const XidSet ended = XidSet::Of(snapshot);
    const int64 last_seq = Guarded([] { return LastChangeSeq(); });
    uint64_t events = 0;
    if (last_seq >= next_ || (!gaps_.empty() && ordered_.ended().FirstEnded(ended) != UINT64_MAX)) {
        if (ordered_.newest().epoch == 0) {
            BeginEpoch();
        }
        RowSort found(
            {{"epoch", INT8OID}, {"xid", INT8OID}, {"negative_seq", INT8OID}, {"is_range", INT8OID}},
            {kFoundEpoch, kFoundXid, kFoundNegativeSeq}, maintenance_work_mem);
        if (Collect(snapshot, ended, last_seq, &found) > 0) {
            events = Append(snapshot, ended, &found);
        }
        found.Finish();
    }
    ordered_.Advance(ended);
    return events;
}

// Begins where the last tick ended, as if all numbers from its low_seq on were one gap.
void Sequencer::Load(Snapshot snapshot) {
    ordered_ = OrderedChanges(snapshot);
    last_pos_ = ordered_.last_pos();
    next_ = ordered_.low_seq();
    const StoreEpoch newest = ordered_.newest();
    if (newest.epoch != 0 && !Guarded([&] { return newest.IsCurrent(); })) {
        BeginEpoch();
    }
    loaded_ = true;
}

// The first write of a database does so; a sequencer that comes before it, too.
void Sequencer::BeginEpoch() {
    Guarded([] { CurrentLog(); });
    Snapshot snapshot = RegisterLatestSnapshot();
    ordered_.ReadEpochs(snapshot);
    ReleaseSnapshot(snapshot);
}

// The gaps that a transaction which has ended since the last step may have filled, taken out of gaps_; and
// all that was drawn since.
std::vector<Sequencer::Gap> Sequencer::TakeGapsToRead(const XidSet& ended) {
    const uint64_t first_ended = ordered_.ended().FirstEnded(ended);
    std::vector<Gap> taken;
    std::vector<Gap> left;
    for (const Gap& gap : gaps_) {
        if (gap.horizon > first_ended) {
            taken.push_back(gap);
        } else {
            left.push_back(gap);
        }
    }
    gaps_ = std::move(left);
    return taken;
}

// Finds what is new. Returns how many changes.
uint64_t Sequencer::Collect(Snapshot snapshot, const XidSet& ended, int64 last_seq, RowSort* found) {
    const ChangeMembers members = Guarded([&] { return ReadChangeMembers(snapshot); });
    std::vector<Gap> gaps = TakeGapsToRead(ended);
    if (last_seq >= next_) {
        const uint64_t horizon = U64FromFullTransactionId(ReadNextFullTransactionId());
        gaps.push_back({next_, last_seq, horizon});
        next_ = last_seq + 1;
    }
    uint64_t count = 0;
    std::vector<Run> seen;
    const auto visit = [&](const ChangeMark& mark) {
        if (!seen.empty() && seen.back().last + 1 == mark.seq) {
            seen.back().last = mark.seq;
        } else {
            seen.push_back({mark.seq, mark.seq});
        }
        if (!ordered_.Has(mark)) {
            count++;
            found->Add([&](Datum* values) {
                values[kFoundEpoch - 1] = Int64GetDatum(ordered_.EpochOf(mark.seq).epoch);
                values[kFoundXid - 1] = Int64GetDatum(static_cast<int64>(mark.xid));
                values[kFoundNegativeSeq - 1] = Int64GetDatum(-mark.seq);
                values[kFoundIsRange - 1] = Int64GetDatum(mark.is_range ? 1 : 0);
            });
        }
    };
    for (size_t i = 0; i < gaps.size();) {
        size_t end = i + 1;
        while (end < gaps.size() && SpanBetween(gaps[end - 1], gaps[end]) <= kReadTogether) {
            end++;
        }
        ForEachChange(members, snapshot, gaps[i].first, gaps[end - 1].last, visit);
        i = end;
    }
    KeepGaps(gaps, std::move(seen), ended);
    return count;
}

// What of the gaps that were read was not seen, and may still come.
void Sequencer::KeepGaps(const std::vector<Gap>& read, std::vector<Run> seen, const XidSet& ended) {
    // Members of the log were read one after the other.
    std::sort(seen.begin(), seen.end(), [](const Run& a, const Run& b) { return a.first < b.first; });
    auto run = seen.begin();
    const size_t kept = gaps_.size();
    const int64 lowest_seq = ordered_.FirstSeqOfCluster();
    for (Gap gap : read) {
        if (gap.horizon <= ended.xmin()) {
            continue;
        }
        gap.first = std::max(gap.first, lowest_seq);
        while (run != seen.end() && run->last < gap.first) {
            ++run;
        }
        for (auto in_gap = run; in_gap != seen.end() && in_gap->first <= gap.last; ++in_gap) {
            if (in_gap->first > gap.first) {
                gaps_.push_back({gap.first, in_gap->first - 1, gap.horizon});
            }
            gap.first = in_gap->last + 1;
        }
        if (gap.first <= gap.last) {
            gaps_.push_back(gap);
        }
    }
    std::inplace_merge(gaps_.begin(), gaps_.begin() + static_cast<std::ptrdiff_t>(kept), gaps_.end(),
                       [](const Gap& a, const Gap& b) { return a.first < b.first; });
    JoinGaps();
}

void Sequencer::JoinGaps() {
    for (int64 distance = kReadTogether; gaps_.size() > kMaxGaps; distance *= 2) {
        std::vector<Gap> joined;
        for (const Gap& gap : gaps_) {
            if (!joined.empty() && SpanBetween(joined.back(), gap) <= distance) {
                joined.back().last = gap.last;
                joined.back().horizon = std::max(joined.back().horizon, gap.horizon);
            } else {
                joined.push_back(gap);
            }
        }
        gaps_ = std::move(joined);
    }
}

// Orders what was found, and gives it positions.
uint64_t Sequencer::Append(Snapshot snapshot, const XidSet& ended, RowSort* found) {
    RowSort ordered({{"last_seq", INT8OID}, {"seq", INT8OID}, {"is_range", INT8OID}},
                    {kOrderedLastSeq, kOrderedSeq}, maintenance_work_mem);
    found->Sort();
    std::pair<int64, int64> writer;
    int64 last_of_writer = 0;
    while (found->Next()) {
        const std::pair<int64, int64> next = {found->Int8(kFoundEpoch), found->Int8(kFoundXid)};
        if (next != writer) {
            writer = next;
            last_of_writer = -found->Int8(kFoundNegativeSeq);
        }
        const int64 seq = -found->Int8(kFoundNegativeSeq);
        const int64 is_range = found->Int8(kFoundIsRange);
        ordered.Add([&](Datum* values) {
            values[kOrderedLastSeq - 1] = Int64GetDatum(last_of_writer);
            values[kOrderedSeq - 1] = Int64GetDatum(seq);
            values[kOrderedIsRange - 1] = Int64GetDatum(is_range);
        });
    }
    ordered.Sort();
    const int64 before = last_pos_;
    last_pos_ = std::max(last_pos_, FirstPositionOf(ordered_.newest().epoch) - 1);
    const int64 begin = last_pos_;
    const std::string text = ended.ToText();
    TickWriter items;
    for (int count = 0; ordered.Next();) {
        items.Add(ItemOf(ordered.Int8(kOrderedSeq), ordered.Int8(kOrderedIsRange) != 0, snapshot));
        if (++count == kItemsOfTick) {
            AppendTickOf(std::exchange(items, TickWriter()), text);
            count = 0;
        }
    }
    AppendTickOf(items, text);
    ordered.Finish();
    const auto events = static_cast<uint64_t>(last_pos_ - begin);
    if (events == 0) {
        last_pos_ = before;
    }
    return events;
}

void Sequencer::AppendTickOf(const TickWriter& items, const std::string& snapshot) {
    if (items.events() == 0) {
        return;
    }
    Tick tick;
    tick.first_pos = last_pos_ + 1;
    tick.last_pos = last_pos_ + static_cast<int64>(items.events());
    tick.low_seq = LowSeq();
    tick.at = GetCurrentTimestamp();
    tick.snapshot = snapshot;
    tick.items = items.encoded();
    AppendTick(tick);
    last_pos_ = tick.last_pos;
}

// A range record has as many events as its trees of metadata differ in keys.
TickItem Sequencer::ItemOf(int64 seq, bool is_range, Snapshot snapshot) {
    TickItem item;
    item.number = static_cast<uint64_t>(seq);
    item.is_range = is_range;
    if (!is_range) {
        return item;
    }
    ChangeRow row;
    ChangeReader log(snapshot);
    const bool found = Guarded([&] {
        const bool is_there = log.Read(seq, &row);
        log.Close();
        return is_there;
    });
    if (!found) {
        throw Damaged("change " + std::to_string(seq) + " has gone while it was ordered");
    }
    ChunkStore chunks(snapshot);
    DiffCursor diff(chunks, row.from.meta_root, row.to.meta_root);
    item.count = 0;
    while (const std::optional<TreeChange> change = diff.Next()) {
        if (item.count > 0 && item.count % kWaypointDistance == 0) {
            item.waypoints.emplace_back(change->key);
        }
        item.count++;
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
    }
    return item;
}

}  // namespace kvs::pg
