// The members of the change log: the tables that it consists of. _kvs.change is member 0, _kvs.change_n
// member n; whoever reads _kvs.change by SQL reads all of them.
//
// One member is current: new rows go there. _kvs.change_member tells which, and what becomes of the others
// (see change_retention.h). A writer finds it without a read, in a cache that is forgotten when the server
// announces that another one became current. Whoever heard of it too late writes to the member before: that
// does no harm, because a member is truncated only after the last of its writers, whose locks tell, has
// ended. So the number of a change is but a hint at its member.
//
// A snapshot that sees a row of the log, not of its own transaction, sees its member in use; and one that
// does not see a member condemned finds it whole: it is truncated only when all snapshots see that. So what a
// reader needs to know is the rows of _kvs.change_member under the snapshot that it reads the log with. Why
// this is true: docs/decisions/0017-log-retention.md.
//
// Server code: call under Guarded.
#pragma once

#include "pg/table/table_access.h"
#include "pg/wall/server.h"

namespace kvs::pg {

constexpr int kChangeMembers = 6;

struct ChangeMember {
    bool in_use;
    int64 first_seq;         // drawn when it became current
    TimestampTz started_at;  // when it became current; DT_NOBEGIN: when the store began
    TimestampTz closed_at;   // from then on nobody wrote to it; DT_NOEND: somebody may
    bool condemned;          // to be truncated; readers leave it alone
    int64 low_seq;           // above all changes that were in it when it was condemned last

    // The row that says so.
    bool stored;
    ItemPointerData tid;
    TransactionId writer;  // who wrote it; FrozenTransactionId: somebody long ago
};

struct ChangeMembers {
    ChangeMember members[kChangeMembers];
    int current;
    int64 low_seq;  // the low-water mark: changes below it may be gone, those from there on are there
};

ChangeMembers ReadChangeMembers(Snapshot snapshot);

// The low-water mark as it is committed now, for those who miss a change: on a standby, truncation may have
// overtaken their snapshot. A parallel query may not take another snapshot, so there it is the query's.
int64 LowestKeptChange();

// The table of a member, without a name look-up where it is known.
Oid ChangeMemberOid(int member);

// By its primary key.
Table OpenChangeMember(int member);

// The current member with its indexes but that of range records. It stays locked until the transaction ends.
Table OpenCurrentChangeMember();

// The index of range records of a member that is open.
Relation OpenRangeIndex(const Table& member);

// Makes every session ask anew which member is current, once this transaction has committed.
void AnnounceChangeMembers();

}  // namespace kvs::pg
