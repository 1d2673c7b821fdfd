// Subscriptions of sessions: subscribe, unsubscribe.
#include "kvs/pattern/pattern.h"
#include "pg/stream/listener_table.h"
#include "pg/table/access_guard.h"
#include "pg/table/branch_table.h"
#include "pg/table/stream_signal.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

Datum Subscribe(std::string_view pattern, std::string_view branch) {
    Pattern::Parse(pattern).OrThrow();
    const int32 branch_id = branch == "*" ? kAllBranches : FindBranch(branch, GetActiveSnapshot()).id;
    const char* channel = AddListener(pattern, branch_id);
    return Guarded([&] {
        if (!EnsureSequencer()) {
            ereport(NOTICE, errmsg("no sequencer runs in this database, so that nothing is heard yet"),
                    errhint("SELECT kvs.start_workers() starts it."));
        }
        return MakeVarlena(channel);
    });
}

}  // namespace

// (pattern, branch)
KVS_FUNCTION(kvs_subscribe)
{
    RequireRead();
    PreventCommandIfReadOnly("kvs.subscribe()");
    PreventCommandIfParallelMode("kvs.subscribe()");
    const std::string_view pattern = RequiredBytes(fcinfo, 0, "pattern");
    return Subscribe(pattern, BytesOrEmpty(fcinfo, 1));
}

// (pattern)
KVS_FUNCTION(kvs_unsubscribe)
{
    RequireRead();
    PreventCommandIfReadOnly("kvs.unsubscribe()");
    PreventCommandIfParallelMode("kvs.unsubscribe()");
    PG_RETURN_INT64(static_cast<int64>(RemoveListeners(OptionalBytes(fcinfo, 0))));
}

}  // namespace kvs::sqlapi
