#include "pg/subscription/poll.h"

#include <algorithm>
#include <map>
#include <utility>

#include "pg/subscription/acknowledge.h"
#include "pg/table/locks.h"
#include "pg/table/stream_signal.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

// How many events of keys that others have are looked at before a member gets what was found.
constexpr int kLookAhead = 10000;

// Events of a key that somebody has had for so long are set aside, so that they are not looked at again and
// again (us).
constexpr int64 kSlow = 10 * USECS_PER_SEC;

// A quiet stream is noted to have been looked through from so many positions on, and when a poll ends.
constexpr int64 kWorthNoting = 10000;

// A member that has nothing and was not seen for so long is forgotten (us).
constexpr int64 kIdle = 3600 * USECS_PER_SEC;

MemberState StateOf(const MemberRow& row, const Subscription& subscription) {
    return row.revision >= 0 && row.generation == subscription.generation
               ? DecodeMemberState(row.state).OrThrow()
               : MemberState();
}

}  // namespace

DeliveryBoard ReadBoard(const Subscription& subscription, const std::vector<Member>& members,
                        const std::string* own, MemberRow* row, MemberState* state) {
    DeliveryBoard board(subscription.start_pos, GetCurrentTimestamp());
    for (const Member& member : members) {
        const bool counts = member.settled.generation == subscription.generation;
        const int64 floor = counts ? member.settled.floor : 0;
        MemberState settled = StateOf(member.settled, subscription);
        if (own != nullptr && member.name == *own) {
            board.AddOwn(floor, settled);
            *row = member.settled;
            *state = std::move(settled);
            continue;
        }
        if (member.is_busy) {
            board.AddBusy(floor, settled);
        } else {
            board.AddOther(floor, settled);
        }
        for (const MemberRow& unsettled : member.unsettled) {
            if (unsettled.generation == subscription.generation) {
                board.AddUnsettled(unsettled.floor, StateOf(unsettled, subscription));
            }
        }
    }
    board.Finish();
    return board;
}

Poll::Poll(std::string_view name, std::string_view member, int64 max_rows, int64 lease)
    : subscription_(UseSubscription(name)), member_(member), max_rows_(max_rows), lease_(lease * 1000) {}

bool Poll::Try(Snapshot snapshot) {
    Turn(snapshot, false);
    return !deliveries_.empty();
}

void Poll::Finish(Snapshot snapshot) {
    if (deliveries_.empty() && has_moved_) {
        Turn(snapshot, true);
    }
}

void Poll::Turn(Snapshot snapshot, bool is_last) {
    LockMember(subscription_.id, member_);
    MemoryContext context = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs poll", ALLOCSET_DEFAULT_SIZES); });
    bool is_written;
    {
        const MemoryScope scope(context);
        BeginTurn(subscription_.id);
        const int32 generation = subscription_.generation;
        subscription_ = ReadAgain(subscription_);
        if (subscription_.generation != generation) {
            passed_ = {};
        }
        const std::vector<Member> members = ReadMembers(subscription_.id);
        row_ = {};
        own_ = {};
        changed_ = false;
        board_.emplace(ReadBoard(subscription_, members, &member_, &row_, &own_));
        room_ = max_rows_;
        if (subscription_.max_in_flight) {
            room_ = std::clamp<int64>(*subscription_.max_in_flight - board_->in_flight(), 0, max_rows_);
        }
        if (!is_last && room_ > 0) {
            has_aside_ = HasAside(subscription_);
            TakeDue(*board_, snapshot);
            TakeFromStream(snapshot);
        }
        is_written = Write(is_last);
        if (is_written) {
            ForgetIdleMember(members);
        }
        EndTurn(subscription_.id);
    }
    Guarded([&] { MemoryContextDelete(context); });
    if (!is_written) {
        UnlockMember(subscription_.id, member_);
    }
    std::sort(deliveries_.begin(), deliveries_.end(),
              [](const Lease& a, const Lease& b) { return a.pos < b.pos; });
    const int64 next = board_->next_due();
    patience_ = next == INT64_MAX ? PG_INT64_MAX : std::max<int64>(next - board_->now(), 0) / 1000 + 1;
}

// Events that were handed out before, and those set aside, together in the order of their positions: so the
// events of a key come in theirs. One that is left where it is leaves its key blocked, or the turn full.
void Poll::TakeDue(const DeliveryBoard& board, Snapshot snapshot) {
    std::map<int64, std::pair<Lease, const AsideEvent*>> events;
    for (const Lease& lease : board.due()) {
        if (!lease.is_aside) {
            events[lease.pos] = {lease, nullptr};
        }
    }
    std::vector<AsideEvent> ready;
    if (has_aside_) {
        ready = ReadyAside(subscription_, max_rows_ + static_cast<int64>(board.leases()));
    }
    for (const AsideEvent& event : ready) {
        if (!board.IsFreeAside(event.pos)) {
            continue;
        }
        const Lease* before = board.Find(event.pos);
        Lease lease;
        lease.pos = event.pos;
        lease.key_hash = event.key_hash;
        lease.deliveries = std::max<uint32>(event.deliveries, before != nullptr ? before->deliveries : 0);
        lease.is_aside = true;
        events[event.pos] = {lease, &event};
    }
    for (const auto& [pos, event] : events) {
        if (IsFull()) {
            return;
        }
        const auto& [lease, aside] = event;
        if (!board.IsBlocked(lease.key_hash) && !FollowsAside(lease, snapshot) &&
            !Park(lease, aside, snapshot)) {
            Take(lease);
        }
    }
}

// Parks an event that was handed out as often as it may be; false if it was not.
bool Poll::Park(const Lease& lease, const AsideEvent* aside, Snapshot snapshot) {
    const int64 deliveries = int64{lease.deliveries} - (aside != nullptr ? aside->spared : 0);
    if (!subscription_.max_deliveries || deliveries < *subscription_.max_deliveries) {
        return false;
    }
    pg::Park(subscription_, lease.pos, aside != nullptr ? aside->key : ReadEventKey(lease.pos, snapshot),
             static_cast<int32>(lease.deliveries), ReasonOfDeliveries(deliveries));
    MarkMoved(lease);
    if (subscription_.holds_key) {
        board_->Block(lease.key_hash);
    }
    return true;
}

// Done as far as the stream goes. The mark holds its key as long as this transaction runs.
void Poll::MarkMoved(const Lease& lease) {
    own_.done.Add(lease.pos);
    Lease mark;
    mark.pos = lease.pos;
    mark.key_hash = lease.key_hash;
    mark.since = mark.until = board_->now();
    mark.is_moved = true;
    own_.Put(mark);
    has_aside_ = changed_ = true;
}

void Poll::Take(Lease lease) {
    lease.deliveries++;
    lease.since = board_->now();
    lease.until = board_->now() + lease_;
    lease.is_returned = false;
    own_.Put(lease);
    deliveries_.push_back(lease);
    changed_ = true;
    if (lease.is_aside) {
        CountDelivery(subscription_, lease.pos);
    }
}

void Poll::MoveAside(const Lease& lease, const EventKey& key) {
    SetAside(subscription_, lease.pos, key, lease.deliveries);
    MarkMoved(lease);
}

// An event that was handed out from the stream, and whose key is held by one set aside since: it has to come
// behind that one.
bool Poll::FollowsAside(const Lease& lease, Snapshot snapshot) {
    if (!has_aside_ || lease.is_aside) {
        return false;
    }
    const EventKey key = ReadEventKey(lease.pos, snapshot);
    if (!HoldsKey(subscription_, key.branch, key.key)) {
        return false;
    }
    MoveAside(lease, key);
    return true;
}

// From the floor on, past what is done or somebody's. All that the reader passes over by itself does not
// match.
void Poll::TakeFromStream(Snapshot snapshot) {
    PositionSet taken = board_->taken();
    taken.Add(passed_);
    EventReader reader(board_->stream_floor(), subscription_.Filter(), snapshot);
    int looked = 0;
    while (!IsFull() && looked < kLookAhead) {
        const int64 before = reader.pos();
        if (const int64 end = taken.EndOfRun(before + 1); end > before) {
            reader.SkipTo(end);
            continue;
        }
        const bool found = reader.Next();
        const int64 pos = reader.pos();
        if (!found || !subscription_.Wants(reader)) {
            passed_.Add(before + 1, pos);
            if (!found) {
                break;
            }
            continue;
        }
        passed_.Add(before + 1, pos - 1);
        if (taken.Has(pos)) {
            continue;
        }
        Lease lease;
        lease.pos = pos;
        lease.key_hash = HashOf(reader.branch_id(), reader.key());
        const bool is_blocked = board_->IsBlocked(lease.key_hash);
        if (is_blocked ? board_->now() - board_->BlockedSince(lease.key_hash) >= kSlow
                       : has_aside_ && HoldsKey(subscription_, reader.branch_id(), reader.key())) {
            MoveAside(lease, {reader.branch_id(), std::string(reader.key())});
        } else if (is_blocked) {
            looked++;
        } else {
            Take(lease);
        }
    }
    reader.Close();
}

// Writes the member's row if that pays; true if it was written.
bool Poll::Write(bool is_last) {
    PositionSet done = board_->done();
    done.Add(own_.done);
    done.Add(passed_);
    const int64 floor = std::max(board_->floor(), done.EndOfRun(board_->floor() + 1));
    has_moved_ = floor > board_->noted_floor();
    if (!changed_ && floor - board_->noted_floor() < (is_last ? 1 : kWorthNoting)) {
        return false;
    }
    own_.done.Add(passed_);
    own_.done.RemoveUpTo(floor);
    // Marks of an earlier write, and what others have got since.
    std::erase_if(own_.leases, [&](const Lease& lease) {
        if (lease.is_moved) {
            return lease.since != board_->now();
        }
        const Lease* holder = board_->Find(lease.pos);
        const bool is_new = lease.IsLive(board_->now()) && lease.since == board_->now();
        return !is_new && (holder == nullptr || holder->is_aside != lease.is_aside ||
                           holder->deliveries > lease.deliveries);
    });
    row_.generation = subscription_.generation;
    row_.floor = floor;
    row_.state = EncodeMemberState(own_);
    WriteMember(subscription_.id, member_, row_);
    passed_ = {};
    Guarded([] { NoteFreed(FreedWhen::kOnAbort); });
    return true;
}

void Poll::ForgetIdleMember(const std::vector<Member>& members) {
    for (const Member& member : members) {
        if (member.name == member_ || member.is_busy || board_->now() - member.settled.seen_at < kIdle) {
            continue;
        }
        const MemberState state = StateOf(member.settled, subscription_);
        PositionSet left = state.done;
        left.RemoveUpTo(board_->floor());
        const bool has_lease = std::any_of(state.leases.begin(), state.leases.end(), [&](const Lease& lease) {
            return board_->Find(lease.pos) != nullptr;
        });
        if (left.IsEmpty() && !has_lease) {
            ForgetMember(subscription_.id, member);
            return;
        }
    }
}

}  // namespace kvs::pg
