#include "kvs/event/delivery_board.h"

#include <gtest/gtest.h>

#include <vector>

namespace kvs {
namespace {

constexpr int64_t kNow = 1000;

Lease LeaseOf(int64_t pos, uint32_t key, uint32_t deliveries, int64_t until) {
    Lease lease;
    lease.pos = pos;
    lease.key_hash = key;
    lease.deliveries = deliveries;
    lease.since = 900;
    lease.until = until;
    return lease;
}

MemberState StateOf(const std::vector<Lease>& leases, const std::vector<int64_t>& done = {}) {
    MemberState state;
    for (const Lease& lease : leases) {
        state.Put(lease);
    }
    for (const int64_t pos : done) {
        state.done.Add(pos);
    }
    return state;
}

std::vector<int64_t> DueOf(const DeliveryBoard& board) {
    std::vector<int64_t> due;
    for (const Lease& lease : board.due()) {
        due.push_back(lease.pos);
    }
    return due;
}

using Positions = std::vector<int64_t>;

TEST(DeliveryBoard, FloorRisesOverWhatAllHaveDone) {
    DeliveryBoard board(10, kNow);
    board.AddOwn(12, StateOf({}, {14, 16}));
    board.AddOther(11, StateOf({}, {13, 15}));
    board.AddBusy(0, StateOf({}, {17}));
    board.AddUnsettled(0, StateOf({}, {17, 18}));
    board.Finish();
    EXPECT_EQ(board.floor(), 17);
    EXPECT_EQ(board.noted_floor(), 12);
    EXPECT_TRUE(board.taken().Has(18));
    EXPECT_FALSE(board.done().Has(18));
}

TEST(DeliveryBoard, LiveLeaseOfAnotherBlocksItsKey) {
    DeliveryBoard board(0, kNow);
    board.AddOwn(0, StateOf({LeaseOf(1, 10, 1, 2000)}));
    board.AddOther(0, StateOf({LeaseOf(2, 20, 1, 1500)}));
    board.Finish();
    EXPECT_FALSE(board.IsBlocked(10));
    EXPECT_TRUE(board.IsBlocked(20));
    EXPECT_EQ(board.BlockedSince(20), 900);
    EXPECT_TRUE(board.taken().Has(1));
    EXPECT_TRUE(board.taken().Has(2));
    EXPECT_EQ(board.in_flight(), 2);
    EXPECT_EQ(board.next_due(), 1500);
    EXPECT_EQ(DueOf(board), Positions{});
}

TEST(DeliveryBoard, LeaseThatRanOutIsDue) {
    DeliveryBoard board(0, kNow);
    board.AddOwn(0, {});
    board.AddOther(0, StateOf({LeaseOf(3, 10, 1, 1000), LeaseOf(5, 20, 1, 1001)}));
    board.Finish();
    EXPECT_EQ(DueOf(board), Positions{3});
    EXPECT_FALSE(board.IsBlocked(10));
    EXPECT_FALSE(board.IsOwn(3));
}

// One event of a key whose lease runs keeps the others of that key, too.
TEST(DeliveryBoard, KeyIsFreeWhenAllItsLeasesHaveRunOut) {
    DeliveryBoard board(0, kNow);
    board.AddOther(0, StateOf({LeaseOf(3, 10, 1, 500), LeaseOf(5, 10, 1, 1500)}));
    board.Finish();
    EXPECT_EQ(DueOf(board), Positions{3});
    EXPECT_TRUE(board.IsBlocked(10));
}

TEST(DeliveryBoard, WhoGotItLastHasIt) {
    for (const bool first : {false, true}) {
        DeliveryBoard board(0, kNow);
        const MemberState late = StateOf({LeaseOf(3, 10, 1, 500)});
        const MemberState next = StateOf({LeaseOf(3, 10, 2, 1500)});
        board.AddOwn(0, first ? late : next);
        board.AddOther(0, first ? next : late);
        board.Finish();
        EXPECT_EQ(board.Find(3)->deliveries, 2u);
        EXPECT_EQ(board.IsOwn(3), !first);
        EXPECT_EQ(board.IsBlocked(10), first);
    }
}

// Another one has begun with an earlier event of the key.
TEST(DeliveryBoard, LeaseThatRanOutIsLostWithAnEarlierEventOfItsKey) {
    for (const int64_t until : {int64_t{500}, int64_t{1500}}) {
        DeliveryBoard board(0, kNow);
        board.AddOwn(0, StateOf({LeaseOf(3, 10, 1, 500), LeaseOf(5, 10, 1, 500), LeaseOf(6, 20, 1, 500)}));
        board.AddOther(0, StateOf({LeaseOf(3, 10, 2, until)}));
        board.Finish();
        EXPECT_FALSE(board.IsOwn(3));
        EXPECT_FALSE(board.IsOwn(5));
        EXPECT_TRUE(board.IsOwn(6));
    }
    DeliveryBoard board(0, kNow);
    board.AddOwn(0, StateOf({LeaseOf(3, 10, 1, 500), LeaseOf(5, 10, 1, 500), LeaseOf(7, 10, 1, 500)}));
    board.AddOther(0, StateOf({}, {3}));
    board.Finish();
    EXPECT_TRUE(board.IsOwn(5));
    EXPECT_FALSE(board.IsOwn(7));
    board.Remove(5);
    EXPECT_TRUE(board.IsOwn(7));
}

TEST(DeliveryBoard, WhatIsDoneIsNobodys) {
    DeliveryBoard board(4, kNow);
    board.AddOwn(4, StateOf({LeaseOf(3, 10, 1, 500), LeaseOf(6, 10, 1, 500)}));
    board.AddOther(4, StateOf({}, {6}));
    board.Finish();
    EXPECT_EQ(board.Find(3), nullptr);
    EXPECT_EQ(board.Find(6), nullptr);
    EXPECT_EQ(DueOf(board), Positions{});
}

// A transaction that runs may still acknowledge what it has, or end without.
TEST(DeliveryBoard, WhoIsBusyKeepsWhatHeHas) {
    DeliveryBoard board(0, kNow);
    board.AddOwn(0, StateOf({LeaseOf(7, 30, 1, 500)}));
    board.AddBusy(0, StateOf({LeaseOf(3, 10, 1, 500)}));
    board.AddUnsettled(0, StateOf({LeaseOf(4, 20, 1, 500)}, {3, 7}));
    board.Finish();
    EXPECT_EQ(DueOf(board), Positions{});
    for (const uint32_t key : {10u, 20u, 30u}) {
        EXPECT_TRUE(board.IsBlocked(key));
        EXPECT_EQ(board.BlockedSince(key), kNow);
    }
    EXPECT_FALSE(board.IsOwn(7));
}

TEST(DeliveryBoard, WhatWasGivenBackBlocksItsKeyUntilItMayGoOn) {
    Lease waiting = LeaseOf(3, 10, 1, 1500);
    waiting.is_returned = true;
    Lease ready = LeaseOf(4, 20, 1, 1000);
    ready.is_returned = true;
    DeliveryBoard board(0, kNow);
    board.AddOwn(0, StateOf({waiting, ready}));
    board.Finish();
    EXPECT_TRUE(board.IsBlocked(10));
    EXPECT_EQ(DueOf(board), Positions{4});
    EXPECT_EQ(board.in_flight(), 0);
    EXPECT_EQ(board.next_due(), 1500);
}

// So that they come in order, once more.
TEST(DeliveryBoard, OwnLaterEventsComeAgainBehindOneThatRanOut) {
    DeliveryBoard board(0, kNow);
    board.AddOwn(0, StateOf({LeaseOf(3, 10, 1, 500), LeaseOf(5, 10, 1, 2000), LeaseOf(6, 20, 1, 2000)}));
    board.Finish();
    EXPECT_EQ(DueOf(board), (Positions{3, 5}));
}

// What is done below it is not named any more.
TEST(DeliveryBoard, AllBelowAnUnsettledFloorIsUnsettled) {
    Lease aside = LeaseOf(2, 20, 1, 500);
    aside.is_aside = true;
    DeliveryBoard board(0, kNow);
    board.AddOther(0, StateOf({aside, LeaseOf(3, 10, 1, 500)}));
    board.AddUnsettled(4, {});
    board.Finish();
    EXPECT_EQ(DueOf(board), Positions{2});
    EXPECT_TRUE(board.IsBlocked(10));
    EXPECT_EQ(board.floor(), 0);
    EXPECT_EQ(board.stream_floor(), 4);
}

// The stream is done with it, and so is nobody else.
TEST(DeliveryBoard, WhatWasSetAsideIsHeldByItsLeaseAlone) {
    Lease aside = LeaseOf(3, 10, 2, 1500);
    aside.is_aside = true;
    DeliveryBoard board(0, kNow);
    board.AddOwn(0, StateOf({LeaseOf(3, 10, 4, 500)}, {3, 5}));
    board.AddOther(0, StateOf({aside}));
    board.Finish();
    EXPECT_FALSE(board.IsOwn(3));
    EXPECT_FALSE(board.IsFreeAside(3));
    EXPECT_TRUE(board.IsFreeAside(5));
    EXPECT_TRUE(board.IsBlocked(10));
    EXPECT_EQ(DueOf(board), Positions{});
}

// The transaction that set it aside runs: until it ends, nobody knows where the event is.
TEST(DeliveryBoard, MarkOfWhatWasSetAsideCountsAsLongAsItIsUnsettled) {
    Lease mark = LeaseOf(3, 10, 0, 900);
    mark.is_moved = true;
    DeliveryBoard settled(0, kNow);
    settled.AddOther(0, StateOf({mark}, {3}));
    settled.Finish();
    EXPECT_FALSE(settled.IsBlocked(10));
    DeliveryBoard unsettled(0, kNow);
    unsettled.AddUnsettled(0, StateOf({mark}, {3}));
    unsettled.Finish();
    EXPECT_TRUE(unsettled.IsBlocked(10));
}

}  // namespace
}  // namespace kvs
