// What a member of a subscription has: the events that it is done with, and those that were handed out to it
// and wait to be acknowledged. One row per member holds it (docs/decisions/0028-durable-subscriptions.md).
//
//     u8 format (1)
//     varint how many runs of positions are done, then for each: varint first - last of the run before (the
//     first one: itself), varint how many follow its first one
//     leases in the order of their positions: varint (pos - pos before) * 2, + 1 if its terms are those of
//     the lease before it; u32 hash of the key; else the terms: varint deliveries, varint flags, varint
//     since, varint until - since
//
// What was handed out together has the same terms, so that a lease takes 5 or 6 bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/error.h"
#include "kvs/event/position_set.h"

namespace kvs {

// An event in the hands of a member. Times are in microseconds, of a clock that all members read.
struct Lease {
    int64_t pos = 0;
    uint32_t key_hash = 0;
    uint32_t deliveries = 0;   // how often the event was handed out, to whomever
    int64_t since = 0;         // when it was handed out
    int64_t until = 0;         // up to when it is the member's; of one that was given back, when it may go on
    bool is_returned = false;  // given back by the member: nobody has it
    bool is_aside = false;     // it came from the events set aside, not from the stream
    bool is_moved = false;     // a mark, not a lease: the transaction that wrote this set the event aside

    bool IsLive(int64_t now) const { return until > now; }
    bool operator==(const Lease&) const = default;
};

struct MemberState {
    PositionSet done;
    std::vector<Lease> leases;  // in the order of their positions, one each

    // The lease of an event; nullptr: there is none.
    Lease* Find(int64_t pos);
    // Adds it, in the place of the one that is there.
    void Put(const Lease& lease);
    void Remove(int64_t pos);

    bool operator==(const MemberState&) const = default;
};

std::string EncodeMemberState(const MemberState& state);

// Errors: kCorruption.
Result<MemberState> DecodeMemberState(std::string_view encoded);

}  // namespace kvs
