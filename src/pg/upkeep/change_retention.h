// Keeps of the change log what kvs.change_retention asks for. The log is written to one member after the
// other (change_members.h), each for a part of that time, and what goes is a whole member, by TRUNCATE:
//
//   waiting ──► current ──► closing ──► closed ──► condemned ──► waiting
//
//   current    new rows go there; from then on until the next one is
//   closing    writers that began before may still write to it; no others will
//   closed     no one has a lock on it that a writer has: nothing is added to it any more
//   condemned  all in it is too old, has its position in the stream if the stream is in use, and lies behind
//              every durable subscription; the low-water mark is above it: readers leave it alone
//   waiting    every snapshot of the database saw it condemned: it was truncated
//
// Each step needs that the one before is committed, so it takes three runs to get rid of what was written
// just now. A step that cannot be taken, because of a lock or of an old snapshot, is left to the next run:
// locks are tried for, and nobody ever queues behind that. The caller holds the lock against other
// collections (pg/table/locks.h) until his transaction ends. Why nothing is lost and nobody is shown half of
// it: docs/decisions/0017-log-retention.md.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

struct TrimResult {
    int64 changes = 0;           // removed
    bool range_records = false;  // among them, which held trees
};

// Takes what steps can be taken now, and removes the ticks that order nothing any more. retention,
// subscription_retention: as the settings, the second one from when on durable subscriptions do not hold a
// member; patience: how long the lock of a member is
// tried for that others read by queries of their own, in ms, 0: once. Errors: PgError.
TrimResult TrimChangeLog(int retention, int subscription_retention, int patience);

// Takes members into use again in which there are changes though _kvs.change_member says that they wait: for
// repair. Errors: PgError.
void RepairChangeMembers();

// How many changes TrimChangeLog would remove now.
int64 CountRemovableChanges(int retention);

}  // namespace kvs::pg
