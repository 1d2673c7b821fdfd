// What the members of durable subscriptions have, _kvs.subscription_member: a narrow row each, written anew
// by each call that hands out events or takes them back.
//
// Rows are read as they stand now, whatever the snapshot, and those that running transactions write are read
// too: a member that is about to get an event has it as soon as its row is written, long before that is
// committed. All writers write between BeginTurn and EndTurn (pg/table/locks.h), so what is read in a turn
// stays as it is but for transactions that end meanwhile.
//
// A row is found from the newest round of its member on: what an old snapshot keeps of it lies behind that.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvs/event/member_state.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct MemberRow {
    int64 revision = -1;  // counts its writes; -1: there is no row
    int32 generation = 0;
    int64 floor = 0;
    TimestampTz seen_at = 0;  // when it was written
    std::string state;        // kvs/event/member_state.h
    ItemPointerData tid = {};
};

// A member as its rows tell: the settled one, committed or of this transaction; and those that another
// transaction, which runs, has written.
struct Member {
    std::string name;
    MemberRow settled;
    bool is_busy = false;  // such a transaction runs
    std::vector<MemberRow> unsettled;
};

// All members of a subscription, in no order that matters. In a turn.
std::vector<Member> ReadMembers(int32 subscription);

// One of them, whose lock is held, so that it is not busy.
MemberRow ReadMember(int32 subscription, std::string_view name);

// Writes what `row` says in the place of that row, or as the member's first one. In a turn; the lock of the
// member is held, and row->tid is as it was read.
void WriteMember(int32 subscription, std::string_view name, const MemberRow& row);

// Removes the row of a member that is not busy, unless somebody acts as it. In a turn.
void ForgetMember(int32 subscription, const Member& member);

}  // namespace kvs::pg
