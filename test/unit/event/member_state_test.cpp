#include "kvs/event/member_state.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <string>

namespace kvs {
namespace {

Lease LeaseOf(int64_t pos, uint32_t key_hash, uint32_t deliveries, int64_t since, int64_t until) {
    Lease lease;
    lease.pos = pos;
    lease.key_hash = key_hash;
    lease.deliveries = deliveries;
    lease.since = since;
    lease.until = until;
    return lease;
}

TEST(PositionSet, JoinsNeighbours) {
    PositionSet set;
    set.Add(5);
    set.Add(7, 9);
    set.Add(6);
    EXPECT_EQ(set.runs(), (PositionSet::Runs{{5, 9}}));
    set.Add(12, 11);
    set.Add(1, 20);
    EXPECT_EQ(set.runs(), (PositionSet::Runs{{1, 20}}));
    set.RemoveUpTo(10);
    EXPECT_EQ(set.runs(), (PositionSet::Runs{{11, 20}}));
    EXPECT_EQ(set.EndOfRun(10), 9);
    EXPECT_EQ(set.EndOfRun(11), 20);
    EXPECT_EQ(set.EndOfRun(21), 20);
}

// Against a plain set.
RC_GTEST_PROP(PositionSet, IsASet, ()) {
    PositionSet set;
    std::set<int64_t> model;
    for (int steps = *rc::gen::inRange(0, 40); steps > 0; steps--) {
        const int64_t first = *rc::gen::inRange<int64_t>(1, 60);
        const int64_t last = first + *rc::gen::inRange<int64_t>(-1, 6);
        if (*rc::gen::inRange(0, 8) == 0) {
            set.RemoveUpTo(first);
            model.erase(model.begin(), model.upper_bound(first));
        } else {
            set.Add(first, last);
            for (int64_t pos = first; pos <= last; pos++) {
                model.insert(pos);
            }
        }
    }
    int64_t before = -1;
    for (const auto& [first, last] : set.runs()) {
        RC_ASSERT(first <= last && first > before + 1);
        before = last;
    }
    for (int64_t pos = 1; pos < 80; pos++) {
        RC_ASSERT(set.Has(pos) == model.contains(pos));
        int64_t end = pos - 1;
        while (model.contains(end + 1)) {
            end++;
        }
        RC_ASSERT(set.EndOfRun(pos) == end);
    }
}

TEST(MemberState, GoldenBytes) {
    EXPECT_EQ(EncodeMemberState({}), std::string("\x01\x00", 2));
    MemberState state;
    state.done.Add(3, 5);
    state.done.Add(7);
    state.Put(LeaseOf(9, 0x04030201, 1, 1, 4));
    state.Put(LeaseOf(6, 0x01020304, 1, 1, 4));
    EXPECT_EQ(
        EncodeMemberState(state),
        std::string("\x01\x02\x03\x02\x02\x00\x0c\x04\x03\x02\x01\x01\x00\x02\x06\x07\x01\x02\x03\x04", 20));
}

RC_GTEST_PROP(MemberState, ComesBack, ()) {
    MemberState state;
    for (int runs = *rc::gen::inRange(0, 5); runs > 0; runs--) {
        const int64_t first = *rc::gen::inRange<int64_t>(1, int64_t{1} << 60);
        state.done.Add(first, first + *rc::gen::inRange<int64_t>(0, 1000));
    }
    for (int leases = *rc::gen::inRange(0, 8); leases > 0; leases--) {
        Lease lease = LeaseOf(*rc::gen::inRange<int64_t>(1, int64_t{1} << 60),
                              *rc::gen::arbitrary<uint32_t>(), *rc::gen::inRange<uint32_t>(0, 3),
                              *rc::gen::inRange<int64_t>(-5, 5), *rc::gen::inRange<int64_t>(-5, 5));
        const int flags = *rc::gen::inRange(0, 8);
        lease.is_returned = (flags & 1) != 0;
        lease.is_aside = (flags & 2) != 0;
        lease.is_moved = (flags & 4) != 0;
        state.Put(lease);
    }
    const std::string encoded = EncodeMemberState(state);
    RC_ASSERT(DecodeMemberState(encoded).OrThrow() == state);
    for (size_t size = 0; size < encoded.size(); size++) {
        const Result<MemberState> part = DecodeMemberState(std::string_view(encoded).substr(0, size));
        RC_ASSERT((!part.ok() || EncodeMemberState(part.value()) == encoded.substr(0, size)));
    }
}

TEST(MemberState, RefusesWhatIsDamaged) {
    for (const std::string& bytes :
         {std::string(), std::string("\x02\x00", 2), std::string("\x01\x01\x03", 3),
          std::string("\x01\x02\x03\x00\x01\x00", 6), std::string("\x01\x00\x0d\x01\x02\x03\x04", 7),
          std::string("\x01\x00\x0c\x04\x03\x02\x01\x01\x08\x02\x06", 11)}) {
        EXPECT_FALSE(DecodeMemberState(bytes).ok());
    }
}

}  // namespace
}  // namespace kvs
