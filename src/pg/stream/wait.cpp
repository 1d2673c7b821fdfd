#include "pg/stream/wait.h"

#include <algorithm>

#include "pg/table/stream_signal.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

// A signal that was missed, as when a sequencer ends before it has sent it, is made up for after so long.
constexpr int64 kLookAnyway = 5000;  // ms

// Server code.
void RequireThatItPays() {
    if (RecoveryInProgress()) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot wait for events on a standby"),
                errdetail("The waiting statement could hold up the replay that it waits for."),
                errhint("Ask kvs.position() from time to time."));
    }
    if (IsolationUsesXactSnapshot()) {
        ereport(
            ERROR, errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
            errmsg("cannot wait for events above READ COMMITTED"),
            errdetail(
                "A transaction of this isolation level does not see what comes after its first statement."));
    }
    if (!EnsureSequencer()) {
        ereport(WARNING, errmsg("no sequencer runs in this database, so that no events come"),
                errhint("SELECT kvs.start_workers() starts it; with shared_preload_libraries = 'kvs' and "
                        "kvs.sequencer = on the server does."));
    }
}

bool Look(const std::function<bool(Snapshot)>& look) {
    ActiveSnapshot active(RegisterLatestSnapshot());
    const bool found = look(active.get());
    active.Release();
    return found;
}

}  // namespace

bool WaitFor(int64 milliseconds, const std::function<bool(Snapshot)>& look, const int64* patience) {
    Guarded([] { RequireThatItPays(); });
    const TimestampTz end = GetCurrentTimestamp() + milliseconds * 1000;
    Guarded([] { BeginWaiting(); });
    bool found = false;
    for (;;) {
        found = Look(look);
        const TimestampTz now = GetCurrentTimestamp();
        if (found || now >= end) {
            break;
        }
        const int64 longest = patience != nullptr ? std::min(*patience, kLookAnyway) : kLookAnyway;
        Guarded([&] { WaitForSignal(std::min<int64>((end - now) / 1000 + 1, longest)); });
    }
    Guarded([] { StopWaiting(); });
    return found;
}

}  // namespace kvs::pg
