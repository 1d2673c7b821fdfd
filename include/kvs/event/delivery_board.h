// Who has which event of a subscription: what its members' states say together, as one of them sees it that
// asks for events.
//
// States are settled (committed, or of the asking member itself) or unsettled: written by a transaction that
// runs, and so may or may not come to be. What depends on an outcome is taken for held by its member,
// whichever it is. So the board errs towards handing out too little, and only as long as that transaction
// runs.
//
//     floor          all events up to there are done, as far as settled states tell
//     an event       is done in a settled state; or it is somebody's: his who got it last, which the number
//                    of deliveries tells, so that a member whose lease ran out need not be written to; or it
//                    is in an unsettled state; else it is free. Of one that was set aside, which is done as
//                    far as the stream goes, leases alone tell, and whether it still is aside
//     a key          is blocked while another member has an event of it, or an event of it that was given
//                    back may not go on yet, or an unsettled state has one
//
// So two members never have a key at the same time, and a key's events come one after the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "kvs/event/member_state.h"

namespace kvs {

class DeliveryBoard {
  public:
    // `start`: of the subscription, what it begins behind.
    DeliveryBoard(int64_t start, int64_t now) : floor_(start), now_(now) {}

    // The states, in any order, then Finish. `state` is the member's settled one.
    void AddOwn(int64_t floor, const MemberState& state);
    void AddOther(int64_t floor, const MemberState& state);
    // The same where a transaction of that member runs, and what it has written, all of it.
    void AddBusy(int64_t floor, const MemberState& state);
    void AddUnsettled(int64_t floor, const MemberState& state);
    void Finish();

    int64_t floor() const { return floor_; }
    // As far as a row says so.
    int64_t noted_floor() const { return noted_floor_; }
    int64_t now() const { return now_; }

    // Free events of the stream lie behind this position and are not in the set: those are done or
    // somebody's.
    int64_t stream_floor() const { return std::max(floor_, unsettled_floor_); }
    const PositionSet& taken() const { return taken_; }
    // Whether nobody has an event that was set aside.
    bool IsFreeAside(int64_t pos) const;
    // Done, settled.
    const PositionSet& done() const { return done_; }

    bool IsBlocked(uint32_t key_hash) const { return blocked_.contains(key_hash); }
    // The asking member gets nothing more of this key.
    void Block(uint32_t key_hash) { blocked_.emplace(key_hash, now_); }
    // Since when the key has been blocked, at the latest.
    int64_t BlockedSince(uint32_t key_hash) const { return blocked_.at(key_hash); }

    // Leases that ran out and events that were given back, if they may go on and are not in an unsettled
    // state, in the order of their positions. Their keys may be blocked.
    const std::vector<Lease>& due() const { return due_; }

    // The lease of who has the event, or had it last; nullptr: it is done, or was never handed out.
    const Lease* Find(int64_t pos) const;
    // Whether that is the asking member, though the lease may have run out: nobody else has it, and the
    // events of its key before it are done, so that what the member does comes in order.
    bool IsOwn(int64_t pos) const;

    // The asking member is done with it.
    void Remove(int64_t pos) { holders_.erase(pos); }

    // How many leases there are, of whichever kind.
    size_t leases() const { return holders_.size(); }
    // How many events are in the hands of members.
    int64_t in_flight() const { return in_flight_; }
    // When the next lease runs out or the next event may go on; INT64_MAX: never.
    int64_t next_due() const { return next_due_; }

  private:
    struct Holder {
        Lease lease;
        bool is_own;
        bool is_busy;  // a transaction of his runs
    };

    void Add(int64_t floor, const MemberState& state, bool is_own, bool is_busy);
    void BlockSince(uint32_t key_hash, int64_t since);
    bool IsUnsettled(const Lease& lease) const;

    int64_t floor_;
    int64_t noted_floor_ = 0;
    int64_t now_;
    PositionSet done_;
    PositionSet taken_;
    PositionSet unsettled_;
    int64_t unsettled_floor_ = 0;
    std::map<int64_t, Holder> holders_;
    std::unordered_map<uint32_t, int64_t> blocked_;  // since when
    std::vector<Lease> due_;
    int64_t in_flight_ = 0;
    int64_t next_due_ = INT64_MAX;
};

}  // namespace kvs
