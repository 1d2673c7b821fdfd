#include "pg/subscription/acknowledge.h"

#include <algorithm>
#include <optional>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/subscription/poll.h"
#include "pg/table/locks.h"
#include "pg/table/stream_signal.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

// A member in its turn.
class MemberTurn {
  public:
    MemberTurn(Subscription subscription, std::string_view member)
        : subscription_(std::move(subscription)), name_(member) {
        LockMember(subscription_.id, name_);
        BeginTurn(subscription_.id);
        subscription_ = ReadAgain(subscription_);
        row_ = ReadMember(subscription_.id, name_);
        if (row_.revision >= 0 && row_.generation == subscription_.generation) {
            state_ = DecodeMemberState(row_.state).OrThrow();
        }
        now_ = GetCurrentTimestamp();
    }

    const Subscription& subscription() const { return subscription_; }
    MemberState& state() { return state_; }
    int64 now() const { return now_; }

    bool IsInHand(const Lease& lease) {
        return !lease.is_returned && !lease.is_moved && (lease.IsLive(now_) || Board().IsOwn(lease.pos));
    }

    // The lease of an event that is the member's.
    Lease* Require(int64 pos) {
        Lease* lease = state_.Find(pos);
        if (lease == nullptr || !IsInHand(*lease)) {
            throw Error(
                ErrorCode::kWrongState,
                "event " + std::to_string(pos) + " of subscription " + Quoted(subscription_.name) +
                    " is not in the hands of " +
                    (name_.empty() ? "the member without a name" : "member " + Quoted(name_)),
                "Roll back what was done for it. If nobody else has got it, it is handed out again.",
                "Its lease has run out and another member has got it, it was acknowledged or given back "
                "before, or the subscription was moved.");
        }
        return lease;
    }

    void MarkDone(const Lease& lease) {
        const int64 pos = lease.pos;
        state_.Remove(pos);
        state_.done.Add(pos);
        PassOver(pos);
    }

    // The later events of its key are judged as if it were done.
    void PassOver(int64 pos) {
        if (board_) {
            board_->Remove(pos);
        }
    }

    void Park(const Lease& lease, const EventKey& key, std::string_view reason) {
        const Lease parked = lease;
        pg::Park(subscription_, parked.pos, key, static_cast<int32>(parked.deliveries), reason);
        if (subscription_.holds_key) {
            GiveBackBehind(parked);
        }
        MarkDone(parked);
    }

    // What the member has of the key behind the event comes again after it. It was not handed out in vain, so
    // that does not count.
    void GiveBackBehind(const Lease& first) {
        for (Lease& lease : state_.leases) {
            if (lease.pos > first.pos && lease.key_hash == first.key_hash && !lease.is_returned &&
                !lease.is_moved) {
                lease.is_returned = true;
                lease.until = now_;
                lease.deliveries -= lease.deliveries > 0 ? 1 : 0;
            }
        }
    }

    void Write(bool frees) {
        const int64 floor = std::max(row_.floor, subscription_.start_pos);
        row_.floor = row_.generation == subscription_.generation
                         ? std::max(floor, state_.done.EndOfRun(floor + 1))
                         : subscription_.start_pos;
        row_.generation = subscription_.generation;
        row_.state = EncodeMemberState(state_);
        WriteMember(subscription_.id, name_, row_);
        EndTurn(subscription_.id);
        if (frees) {
            Guarded([] { NoteFreed(FreedWhen::kAtEnd); });
        }
    }

    void End() { EndTurn(subscription_.id); }

  private:
    const DeliveryBoard& Board() {
        if (!board_) {
            MemberRow row;
            MemberState state;
            board_.emplace(ReadBoard(subscription_, ReadMembers(subscription_.id), &name_, &row, &state));
        }
        return *board_;
    }

    Subscription subscription_;
    std::string name_;
    MemberRow row_;
    MemberState state_;
    int64 now_;
    std::optional<DeliveryBoard> board_;
};

// Who has the event, or had it last; nullopt: nobody.
std::optional<std::string> HolderOf(const Subscription& subscription, int64 pos) {
    BeginTurn(subscription.id);
    std::optional<std::string> holder;
    uint32_t deliveries = 0;
    for (const Member& member : ReadMembers(subscription.id)) {
        if (member.settled.revision < 0 || member.settled.generation != subscription.generation) {
            continue;
        }
        MemberState state = DecodeMemberState(member.settled.state).OrThrow();
        const Lease* lease = state.Find(pos);
        if (lease != nullptr && !lease->is_moved && (!holder || lease->deliveries > deliveries)) {
            holder = member.name;
            deliveries = lease->deliveries;
        }
    }
    EndTurn(subscription.id);
    return holder;
}

Error NotHandedOut(const Subscription& subscription, int64 pos) {
    return {ErrorCode::kWrongState,
            "event " + std::to_string(pos) + " of subscription " + Quoted(subscription.name) +
                " is in nobody's hands",
            "Only what was handed out by kvs.poll() and is neither acknowledged nor parked can be parked."};
}

}  // namespace

void Acknowledge(std::string_view name, std::string_view member, const std::vector<int64>& positions) {
    MemberTurn turn(UseSubscription(name), member);
    for (const int64 pos : positions) {
        const Lease lease = *turn.Require(pos);
        if (lease.is_aside && !RemoveAside(turn.subscription(), pos)) {
            throw NotHandedOut(turn.subscription(), pos);
        }
        turn.MarkDone(lease);
    }
    turn.Write(true);
}

void GiveBack(std::string_view name, std::string_view member, int64 pos, int64 delay) {
    MemberTurn turn(UseSubscription(name), member);
    Lease* lease = turn.Require(pos);
    const std::optional<int32>& most = turn.subscription().max_deliveries;
    // Of an event set aside poll knows how often it was handed out since it was replayed.
    if (most && !lease->is_aside && int64{lease->deliveries} >= *most) {
        Snapshot latest = RegisterLatestSnapshot();
        turn.Park(*lease, ReadEventKey(pos, latest), ReasonOfDeliveries(lease->deliveries));
        ReleaseSnapshot(latest);
    } else {
        lease->is_returned = true;
        lease->until = turn.now() + delay * 1000;
        turn.GiveBackBehind(*lease);
    }
    turn.Write(true);
}

bool ExtendLeases(std::string_view name, std::string_view member, int64 lease_time) {
    MemberTurn turn(UseSubscription(name), member);
    bool any = false;
    for (Lease& lease : turn.state().leases) {
        if (turn.IsInHand(lease)) {
            lease.until = turn.now() + lease_time * 1000;
            turn.PassOver(lease.pos);
            any = true;
        }
    }
    if (any) {
        turn.Write(false);
    } else {
        turn.End();
    }
    return any;
}

void ParkEvent(std::string_view name, int64 pos, std::string_view reason) {
    const Subscription subscription = UseSubscription(name);
    const std::optional<std::string> holder = HolderOf(subscription, pos);
    if (!holder) {
        throw NotHandedOut(subscription, pos);
    }
    MemberTurn turn(subscription, *holder);
    Lease* lease = turn.state().Find(pos);
    if (lease == nullptr || (!turn.IsInHand(*lease) && !lease->is_returned)) {
        throw NotHandedOut(subscription, pos);
    }
    if (lease->is_aside && !RemoveAside(turn.subscription(), pos)) {
        throw NotHandedOut(subscription, pos);
    }
    Snapshot latest = RegisterLatestSnapshot();
    turn.Park(*lease, ReadEventKey(pos, latest), reason);
    ReleaseSnapshot(latest);
    turn.Write(true);
}

EventKey ReadEventKey(int64 pos, Snapshot snapshot) {
    EventReader reader(pos - 1, {}, snapshot);
    if (!reader.Next() || reader.pos() != pos) {
        throw CouldNotSerialize("an event is newer than the snapshot of this transaction");
    }
    reader.Close();
    return {reader.branch_id(), std::string(reader.key())};
}

std::string ReasonOfDeliveries(int64 deliveries) {
    return "not acknowledged after " + std::to_string(deliveries) + " deliveries";
}

}  // namespace kvs::pg
