#include "kvs/event/tick.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace kvs {
namespace {

std::string Encode(const std::vector<TickItem>& items) {
    TickWriter writer;
    for (const TickItem& item : items) {
        writer.Add(item);
    }
    return writer.encoded();
}

std::vector<TickItem> Decode(std::string_view encoded) {
    std::vector<TickItem> items;
    TickReader reader(encoded);
    for (TickItem item; reader.Next(&item).OrThrow();) {
        items.push_back(item);
    }
    return items;
}

void ExpectCorrupt(std::string_view encoded) {
    try {
        Decode(encoded);
        FAIL() << "it was read";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorruption);
    }
}

TickItem Change(uint64_t number) {
    return {number, false, 1, {}};
}

TickItem Range(uint64_t number, uint64_t count, std::vector<std::string> waypoints) {
    return {number, true, count, std::move(waypoints)};
}

TEST(Tick, GoldenBytes) {
    EXPECT_EQ(Encode({}), "\x01");
    EXPECT_EQ(Encode({Change(16), Change(17), Change(10), Range(20, 3, {}), Range(21, 10001, {"k"})}),
              std::string("\x01\x40\x04\x1a\x29\x03\x05\x91\x4e\x01k", 11));
}

TEST(Tick, NumbersOf) {
    const TickNumbers numbers =
        NumbersOf(Encode({Change(16), Change(7), Range(20, 3, {}), Change(9)})).OrThrow();
    EXPECT_EQ(numbers.lowest, 7u);
    EXPECT_EQ(numbers.highest, 20u);
    EXPECT_EQ(NumbersOf(Encode({})).OrThrow().highest, 0u);
    EXPECT_FALSE(NumbersOf("\x02").ok());
}

TEST(Tick, FindsAnEvent) {
    const std::string encoded = Encode({Change(5), Range(6, 25000, {"a", "b"}), Range(7, 0, {}), Change(8)});
    EXPECT_EQ(FindInTick(encoded, 0).OrThrow().item, Change(5));
    for (const uint64_t event : {uint64_t{0}, uint64_t{12345}, uint64_t{24999}}) {
        const TickPlace place = FindInTick(encoded, 1 + event).OrThrow();
        EXPECT_EQ(place.item.number, 6u);
        EXPECT_EQ(place.event, event);
    }
    EXPECT_EQ(FindInTick(encoded, 25001).OrThrow().item, Change(8));
    EXPECT_EQ(FindInTick(encoded, 25001).OrThrow().event, 0u);
    EXPECT_EQ(FindInTick(encoded, 25002).error().code(), ErrorCode::kCorruption);
    EXPECT_EQ(FindInTick("", 0).error().code(), ErrorCode::kCorruption);
}

TEST(Tick, Malformed) {
    const std::string encoded = Encode({Change(500), Range(6, 25000, {"a", "b"})});
    const size_t first = Encode({Change(500)}).size();
    for (size_t size = 0; size < encoded.size(); size++) {
        if (size != 1 && size != first) {
            ExpectCorrupt(std::string_view(encoded).substr(0, size));
        }
    }
    ExpectCorrupt("\x02");
    ExpectCorrupt(Encode({Range(1, 25000, {"b", "a"})}));               // not ascending
    ExpectCorrupt(Encode({Range(1, 25000, {"a", "a"})}));               // nor twice
    ExpectCorrupt(std::string("\x01\x02", 2));                          // number -1
    ExpectCorrupt("\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");  // way-points of 2^64 - 1 events
    ExpectCorrupt(Encode({Range(1, 9000, {})}) + std::string("\x05\x80", 2));  // a count that ends too early
    EXPECT_EQ(Decode(Encode({Change(kMaxTickNumber - 1), Change(0)})).size(), 2u);
}

RC_GTEST_PROP(Tick, RoundTrip, ()) {
    const auto kinds = *rc::gen::container<std::vector<uint8_t>>(rc::gen::inRange<uint8_t>(0, 4));
    std::vector<TickItem> items;
    std::vector<std::pair<uint64_t, uint64_t>> events;  // number, and which of it
    for (const uint8_t kind : kinds) {
        TickItem item = Change(*rc::gen::inRange<uint64_t>(0, kMaxTickNumber));
        if (kind == 0) {
            const auto keys = *rc::gen::resize(3, rc::gen::arbitrary<std::set<std::string>>());
            item.is_range = true;
            item.waypoints = {keys.begin(), keys.end()};
            item.count =
                keys.size() * kWaypointDistance + *rc::gen::inRange<uint64_t>(1, kWaypointDistance + 1);
        } else if (kind == 1) {
            item.is_range = true;
            item.count = *rc::gen::inRange<uint64_t>(0, 5);
        }
        items.push_back(item);
    }
    const std::string encoded = Encode(items);
    RC_ASSERT(Decode(encoded) == items);
    uint64_t before = 0;
    for (const TickItem& item : items) {
        for (const uint64_t event : {uint64_t{0}, item.count / 2, item.count - 1}) {
            if (item.count > 0) {
                const TickPlace place = FindInTick(encoded, before + event).OrThrow();
                RC_ASSERT(place.item == item);
                RC_ASSERT(place.event == event);
            }
        }
        before += item.count;
    }
}

}  // namespace
}  // namespace kvs
