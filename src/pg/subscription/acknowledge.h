// What members do with the events that they have: acknowledge, give back, keep for longer, park.
//
// Each is a turn on the member's own row (poll.h). An event is the member's as long as its lease runs; and
// after that, until another one gets it, so that work which took too long is not lost where nobody else has
// begun it. Whoever comes too late is refused, because what he did must be rolled back: kWrongState.
//
// Errors of all: kUnknownRef the subscription does not exist, 55P03 another transaction acts as the member.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pg/subscription/aside_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// All of them, or none.
void Acknowledge(std::string_view name, std::string_view member, const std::vector<int64>& positions);

// Gives an event back, to be handed out again after so many ms, and with it what the member has of its key
// behind it; or parks it, if it was handed out as often as it may be.
void GiveBack(std::string_view name, std::string_view member, int64 pos, int64 delay);

// All leases end in so many ms from now. False if the member has nothing.
bool ExtendLeases(std::string_view name, std::string_view member, int64 lease);

// Parks an event, whichever member has it. Errors: also kPositionGone.
void ParkEvent(std::string_view name, int64 pos, std::string_view reason);

// The key of an event of the stream. Errors: kPositionGone; kSerialization if the snapshot is older.
EventKey ReadEventKey(int64 pos, Snapshot snapshot);

std::string ReasonOfDeliveries(int64 deliveries);

}  // namespace kvs::pg
