#include "pg/upkeep/change_retention.h"

#include <algorithm>
#include <string>

#include "pg/stream/tick_table.h"
#include "pg/subscription/subscription_table.h"
#include "pg/table/catalog.h"
#include "pg/table/change_log.h"
#include "pg/table/change_members.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/table/table_access.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

extern "C" {
#include "storage/procarray.h"
}

namespace kvs::pg {

namespace {

// One member is current, one is on its way out, and the others share the time.
constexpr int kShares = kChangeMembers - 2;

// In the order of the columns of _kvs.change_member.
enum MemberColumn { kMember, kFirstSeq, kStartedAt, kClosedAt, kCondemnedAt, kLowSeq, kMemberColumns };

std::string NameOf(int member) {
    return member == 0 ? "_kvs.change" : "_kvs.change_" + std::to_string(member);
}

// Puts what `member` says in the place of its row, or there as its first one. Server code.
void StoreMember(int number, const ChangeMember& member, Snapshot snapshot) {
    Datum values[kMemberColumns] = {
        Int16GetDatum(static_cast<int16>(number)),  Int64GetDatum(member.first_seq),
        TimestampTzGetDatum(member.started_at),     TimestampTzGetDatum(member.closed_at),
        TimestampTzGetDatum(GetCurrentTimestamp()), Int64GetDatum(member.low_seq)};
    bool nulls[kMemberColumns] = {};
    nulls[kFirstSeq] = !member.in_use;
    nulls[kStartedAt] = member.started_at == DT_NOBEGIN;
    nulls[kClosedAt] = member.closed_at == DT_NOEND;
    nulls[kCondemnedAt] = !member.condemned;
    const Object index = Object::kChangeMemberPkey;
    Table table = OpenForWrite(Object::kChangeMember, &index, 1);
    if (!member.stored) {
        Insert(&table, values, nulls);
    } else {
        ItemPointerData tid = member.tid;
        if (Update(&table, &tid, values, nulls, snapshot) != TM_Ok) {
            throw CouldNotSerialize("concurrent change of the change log's members");
        }
    }
    Close(&table);
    CommandCounterIncrement();
}

// The number of a member's first or last row, 0 if it is empty. Server code.
int64 EndOf(int number, ScanDirection from, Snapshot snapshot) {
    Table member = OpenChangeMember(number);
    IndexScanDesc scan = BeginScan(&member, snapshot, nullptr, 0);
    int64 seq = 0;
    if (index_getnext_slot(scan, from, member.slot)) {
        seq = DatumGetInt64(member.Get(1));
    }
    index_endscan(scan);
    Close(&member);
    return seq;
}

int64 LowestSeq(int number, Snapshot snapshot) {
    return EndOf(number, ForwardScanDirection, snapshot);
}

int64 HighestSeq(int number, Snapshot snapshot) {
    return EndOf(number, BackwardScanDirection, snapshot);
}

int64 CountRows(int number, const char* condition) {
    const std::string query = "SELECT count(*) FROM ONLY " + NameOf(number) + " WHERE " + condition;
    OwnerQuery row(query.c_str(), {}, true);
    row.Next();
    const int64 count = row.Int8(1);
    row.Finish();
    return count;
}

// Whether every snapshot that there is in this database, and every one to come, sees what `member`'s row
// says. Server code.
bool IsSeenByAll(const ChangeMember& member) {
    Relation table = table_open(ObjectOid(Object::kChangeMember), AccessShareLock);
    const TransactionId horizon = GetOldestNonRemovableTransactionId(table);
    table_close(table, AccessShareLock);
    return TransactionIdPrecedes(member.writer, horizon);
}

// Whether a query of this session that is not over reads it. Server code.
bool IsOpenHere(Oid relation) {
    Relation opened = table_open(relation, NoLock);
    const bool is_open = opened->rd_refcnt > 1;
    table_close(opened, NoLock);
    return is_open;
}

// Whether this transaction has written to it, and so perhaps goes on to. Server code.
bool IsWrittenHere(Oid relation) {
    Relation opened = table_open(relation, AccessShareLock);
    const bool is_written = CheckRelationLockedByMe(opened, RowExclusiveLock, false);
    table_close(opened, AccessShareLock);
    return is_written;
}

// One step of one member each. `snapshot` is fresh, and `members` was read under it.

bool IsRemovable(const ChangeMember& member) {
    return member.in_use && member.condemned && Guarded([&] { return IsSeenByAll(member); });
}

void TruncateMember(int number, ChangeMember member, Snapshot snapshot, int patience, TrimResult* result) {
    const int64 rows = CountRows(number, "true");
    const bool has_ranges = CountRows(number, "key IS NULL") > 0;
    const bool locked = Guarded([&] {
        const Oid relation = ChangeMemberOid(number);
        if (!TryLockRelation(relation, AccessExclusiveLock, patience)) {
            return false;
        }
        if (IsOpenHere(relation)) {
            UnlockRelationOid(relation, AccessExclusiveLock);
            return false;
        }
        return true;
    });
    if (!locked) {
        return;
    }
    ExecuteAsOwner(("TRUNCATE ONLY " + NameOf(number)).c_str());
    member.in_use = false;
    member.first_seq = 0;
    member.started_at = DT_NOBEGIN;
    member.closed_at = DT_NOEND;
    member.condemned = false;
    Guarded([&] { StoreMember(number, member, snapshot); });
    result->changes += rows;
    result->range_records |= has_ranges;
}

// Closes a member if nobody writes to it any more.
void CloseMember(int number, const ChangeMembers& members, Snapshot snapshot) {
    Guarded([&] {
        ChangeMember member = members.members[number];
        // Until the transaction that made another member current has ended, others have not heard of it.
        if (TransactionIdIsCurrentTransactionId(members.members[members.current].writer)) {
            return;
        }
        const Oid relation = ChangeMemberOid(number);
        if (!IsWrittenHere(relation) && TryLockRelation(relation, ShareLock, 0)) {
            UnlockRelationOid(relation, ShareLock);
            member.closed_at = GetCurrentTimestamp();
            StoreMember(number, member, snapshot);
        }
    });
}

// Up to where changes have left the hands of the stream, and may go when they are old enough.
struct Released {
    int64 from_stream;         // lower numbers have a position
    int64 from_subscriptions;  // lower numbers lie behind every durable subscription
};

Released ReadReleased(Snapshot snapshot) {
    Released released = {PG_INT64_MAX, PG_INT64_MAX};
    if (const std::optional<Tick> last = ReadLastTick(snapshot)) {
        released.from_stream = last->low_seq;
    }
    if (const std::optional<int64> needed = NeededBySubscriptions()) {
        released.from_subscriptions = LowestBehind(*needed);
    }
    return released;
}

void CondemnMember(int number, ChangeMember member, Snapshot snapshot) {
    Guarded([&] {
        member.low_seq = std::max(member.low_seq, HighestSeq(number, snapshot) + 1);
        member.condemned = true;
        StoreMember(number, member, snapshot);
    });
}

// Makes an empty member the current one, if there is one.
void Rotate(const ChangeMembers& members, Snapshot snapshot) {
    Guarded([&] {
        for (int i = 1; i < kChangeMembers; i++) {
            const int number = (members.current + i) % kChangeMembers;
            ChangeMember next = members.members[number];
            if (next.in_use || HighestSeq(number, snapshot) > 0) {
                continue;
            }
            if (const ChangeMember& current = members.members[members.current]; !current.stored) {
                StoreMember(members.current, current, snapshot);
            }
            next.in_use = true;
            next.first_seq = NextChangeSeq();
            next.started_at = GetCurrentTimestamp();
            StoreMember(number, next, snapshot);
            AnnounceChangeMembers();
            return;
        }
    });
}

// Calls `step(i, members, snapshot)` for each member, with what is known before it.
template <typename Step>
void ForEachMember(Step step) {
    for (int i = 0; i < kChangeMembers; i++) {
        ActiveSnapshot fresh(RegisterLatestSnapshot());
        step(i, Guarded([&] { return ReadChangeMembers(fresh.get()); }), fresh.get());
        fresh.Release();
    }
}

int64 LowestKept() {
    return Guarded([] { return LowestKeptChange(); });
}

}  // namespace

TrimResult TrimChangeLog(int retention, int subscription_retention, int patience) {
    TrimResult result;
    if (retention < 0) {
        return result;
    }
    Guarded([] { NoteWrite(); });
    const int64 time = int64{retention} * USECS_PER_SEC;
    ForEachMember([&](int i, const ChangeMembers& all, Snapshot snapshot) {
        if (IsRemovable(all.members[i])) {
            TruncateMember(i, all.members[i], snapshot, patience, &result);
        }
    });
    ForEachMember([&](int i, const ChangeMembers& all, Snapshot snapshot) {
        if (all.members[i].in_use && i != all.current && all.members[i].closed_at == DT_NOEND) {
            CloseMember(i, all, snapshot);
        }
    });
    ForEachMember([&](int i, const ChangeMembers& all, Snapshot snapshot) {
        const ChangeMember& member = all.members[i];
        const int64 age = GetCurrentTimestamp() - member.closed_at;
        if (!member.in_use || member.condemned || member.closed_at == DT_NOEND || age < time) {
            return;
        }
        const int64 highest = Guarded([&] { return HighestSeq(i, snapshot); });
        const Released released = ReadReleased(snapshot);
        const bool is_too_old =
            subscription_retention >= 0 && age >= int64{subscription_retention} * USECS_PER_SEC;
        if (highest < released.from_stream && (is_too_old || highest < released.from_subscriptions)) {
            CondemnMember(i, member, snapshot);
        }
    });
    RemoveTicks(LowestKept());
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    const ChangeMembers all = Guarded([&] { return ReadChangeMembers(fresh.get()); });
    const ChangeMember& current = all.members[all.current];
    const bool is_due =
        current.started_at == DT_NOBEGIN || GetCurrentTimestamp() - current.started_at >= time / kShares;
    if (is_due && Guarded([&] { return HighestSeq(all.current, fresh.get()) > 0; })) {
        Rotate(all, fresh.get());
    }
    fresh.Release();
    return result;
}

int64 CountRemovableChanges(int retention) {
    int64 removable = 0;
    ForEachMember([&](int i, const ChangeMembers& all, Snapshot) {
        if (retention >= 0 && IsRemovable(all.members[i])) {
            removable += CountRows(i, "true");
        }
    });
    return removable;
}

void RepairChangeMembers() {
    bool any = false;
    ForEachMember([&](int i, const ChangeMembers& all, Snapshot snapshot) {
        any |= !all.members[i].in_use && Guarded([&] { return LowestSeq(i, snapshot) > 0; });
    });
    if (!any) {
        return;
    }
    ForEachMember([](int i, const ChangeMembers& all, Snapshot snapshot) {
        Guarded([&] {
            ChangeMember member = all.members[i];
            const int64 first_seq = LowestSeq(i, snapshot);
            // The first member is current also where its row says that it waits, as long as there is no
            // other.
            if (first_seq > 0 && (!member.in_use || i == all.current)) {
                member.in_use = true;
                member.first_seq = first_seq;
                StoreMember(i, member, snapshot);
            }
        });
    });
    Guarded([] { AnnounceChangeMembers(); });
}

}  // namespace kvs::pg
