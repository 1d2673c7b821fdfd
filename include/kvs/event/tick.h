// A tick of the sequencer: which changes became visible together, in the order in which consumers get them.
//
// Each event has a position. A change of a key is one event; a range record (an import, a merge) is as many
// as its roots differ in keys, which come in key order. A million of them are one item: how many, and the key
// of every kWaypointDistance-th, from which on the difference of the roots is walked to get to a position in
// the middle.
//
//     u8 format (1), then the items:
//     varint of zigzag(number - number before), doubled, + 1 for a range record
//     of a range record: varint count, then the way-points, each length-prefixed: (count - 1) /
//     kWaypointDistance keys
//
// Numbers hardly leap, so a change takes one or two bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/codec/varint.h"
#include "kvs/error.h"

namespace kvs {

constexpr uint64_t kWaypointDistance = 10000;
constexpr uint64_t kMaxTickNumber = uint64_t{1} << 62;  // numbers are below

struct TickItem {
    uint64_t number = 0;  // of the change or the range record, in its log
    bool is_range = false;
    uint64_t count = 1;                  // of events; of a range record 0 if its roots do not differ
    std::vector<std::string> waypoints;  // keys of the events kWaypointDistance, 2 * kWaypointDistance, ...

    bool operator==(const TickItem&) const = default;
};

// How many way-points an item of so many events has.
constexpr uint64_t WaypointsOf(uint64_t count) {
    return count == 0 ? 0 : (count - 1) / kWaypointDistance;
}

// Puts a tick together. Whoever adds an item has kept the rules above.
class TickWriter {
  public:
    TickWriter();

    void Add(const TickItem& item);

    uint64_t events() const { return events_; }
    const std::string& encoded() const { return encoded_; }

  private:
    std::string encoded_;
    uint64_t last_number_ = 0;
    uint64_t events_ = 0;
};

// Reads the items one after the other.
class TickReader {
  public:
    // The bytes must live as long as the reader.
    explicit TickReader(std::string_view encoded) : reader_(encoded) {}

    // False behind the last one. Errors: kCorruption.
    Result<bool> Next(TickItem* item);

  private:
    Error Corrupt(const char* what) const;

    ByteReader reader_;
    bool begun_ = false;
    uint64_t last_number_ = 0;
    uint64_t events_ = 0;
};

// The lowest and the highest number of a tick; of one without items the highest is 0.
struct TickNumbers {
    uint64_t lowest = kMaxTickNumber;
    uint64_t highest = 0;
};

// Errors: kCorruption.
Result<TickNumbers> NumbersOf(std::string_view encoded);

// The item that the n-th event of a tick belongs to, counted from 0, and which of its events that is.
struct TickPlace {
    TickItem item;
    uint64_t event = 0;
};

// Errors: kCorruption, also if there are not so many events.
Result<TickPlace> FindInTick(std::string_view encoded, uint64_t n);

}  // namespace kvs
