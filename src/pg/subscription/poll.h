// Handing out the events of a durable subscription to one of its members.
//
// A try is a turn (pg/table/locks.h): what the members have is read as it stands now, with what running
// transactions are about to have; events that nobody has are looked for, first among those whose leases ran
// out or that were given back, then among those set aside, then in the stream behind what is done; and the
// member's row is written before the next one's turn begins. So a turn is short, however long the
// transactions are that poll, and nobody waits for those. Why two members never have one key, and nothing is
// lost: docs/decisions/0028-durable-subscriptions.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvs/event/delivery_board.h"
#include "pg/stream/event_reader.h"
#include "pg/subscription/aside_table.h"
#include "pg/subscription/member_table.h"
#include "pg/subscription/subscription_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The board as `own` sees it; that member's settled row and its state, empty where it is of an earlier
// generation, are put there. nullptr: nobody asks, and nothing is anybody's own.
DeliveryBoard ReadBoard(const Subscription& subscription, const std::vector<Member>& members,
                        const std::string* own, MemberRow* row, MemberState* state);

class Poll {
  public:
    // lease: in ms. Errors: kUnknownRef, 55P03.
    Poll(std::string_view name, std::string_view member, int64 max_rows, int64 lease);

    // True if something was handed out, after which it must not be called again. `snapshot`: of the stream.
    // Errors: kPositionGone, kPositionUnknown, 55P03 somebody else acts as the member.
    bool Try(Snapshot snapshot);

    // If nothing was: notes how far the stream has been looked through.
    void Finish(Snapshot snapshot);

    // Sorted by position.
    const std::vector<Lease>& deliveries() const { return deliveries_; }

    // After so many ms a try may find what the one before did not.
    const int64* patience() const { return &patience_; }

  private:
    void Turn(Snapshot snapshot, bool is_last);
    void TakeDue(const DeliveryBoard& board, Snapshot snapshot);
    void TakeFromStream(Snapshot snapshot);
    bool Park(const Lease& lease, const AsideEvent* aside, Snapshot snapshot);
    void Take(Lease lease);
    void MarkMoved(const Lease& lease);
    void MoveAside(const Lease& lease, const EventKey& key);
    bool FollowsAside(const Lease& lease, Snapshot snapshot);
    bool IsFull() const { return static_cast<int64>(deliveries_.size()) >= room_; }
    bool Write(bool is_last);
    void ForgetIdleMember(const std::vector<Member>& members);

    Subscription subscription_;
    std::string member_;
    int64 max_rows_;
    int64 lease_;  // us

    // Of this turn.
    std::optional<DeliveryBoard> board_;
    MemberRow row_;
    MemberState own_;
    int64 room_ = 0;  // for how many events
    bool changed_ = false;
    bool has_aside_ = false;
    bool has_moved_ = false;  // the floor, and no row says so yet

    PositionSet passed_;  // what does not match, in all turns
    std::vector<Lease> deliveries_;
    int64 patience_ = PG_INT64_MAX;
};

}  // namespace kvs::pg
