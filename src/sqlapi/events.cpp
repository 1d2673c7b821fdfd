// The stream of changes, read from a position on: events, position, wait_for.
#include <optional>
#include <string>

#include "kvs/pattern/pattern.h"
#include "pg/stream/event_reader.h"
#include "pg/stream/event_row.h"
#include "pg/stream/ordered_changes.h"
#include "pg/stream/tick_table.h"
#include "pg/stream/wait.h"
#include "pg/table/access_guard.h"
#include "pg/table/branch_table.h"
#include "pg/wall/arguments.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/snapshot.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

struct EventsArguments {
    int64 after;
    std::optional<std::string_view> pattern;
    std::optional<int64> max_rows;
    std::string_view branch;    // empty: the session's; *: all
    std::optional<int64> wait;  // ms
};

EventFilter FilterOf(const EventsArguments& arguments, Snapshot snapshot) {
    EventFilter filter;
    if (arguments.branch != "*") {
        filter.branch = FindBranch(arguments.branch, snapshot).id;
    }
    if (arguments.pattern) {
        Pattern pattern = Pattern::Parse(*arguments.pattern).OrThrow();
        if (!pattern.MatchesEverything()) {
            filter.pattern = std::move(pattern);
        }
    }
    return filter;
}

// Adds what the reader finds to `rows`; true if there was something.
bool AddEvents(EventReader* reader, int64 max_rows, Snapshot snapshot, const CollectedRows& rows) {
    BranchNames names;
    int64 count = 0;
    MemoryContext row_context = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs event row", ALLOCSET_DEFAULT_SIZES); });
    while (count < max_rows && reader->Next()) {
        const MemoryScope scope(row_context);
        const EventRow row = MakeEventRow(reader, names.Of(reader->branch_id(), snapshot));
        Guarded([&] {
            AddRow(rows, row);
            MemoryContextReset(row_context);
        });
        count++;
    }
    Guarded([&] { MemoryContextDelete(row_context); });
    reader->Close();
    return count > 0;
}

void Events(const EventsArguments& arguments, const CollectedRows& rows) {
    const int64 max_rows = arguments.max_rows.value_or(PG_INT64_MAX);
    Snapshot snapshot = GetActiveSnapshot();
    EventReader reader(arguments.after, FilterOf(arguments, snapshot), snapshot);
    if (!arguments.wait) {
        AddEvents(&reader, max_rows, snapshot, rows);
        return;
    }
    WaitFor(*arguments.wait, [&](Snapshot latest) {
        reader.set_snapshot(latest);
        return AddEvents(&reader, max_rows, latest, rows) || max_rows == 0;
    });
}

bool WaitForPosition(int64 pos, int64 timeout) {
    return WaitFor(timeout,
                   [&](Snapshot latest) { return Guarded([&] { return LastPosition(latest); }) >= pos; });
}

// Until all that is committed now has its position.
bool WaitForAll(int64 timeout) {
    Snapshot now = RegisterLatestSnapshot();
    const bool all = WaitFor(timeout, [&](Snapshot latest) { return AreOrdered(now, latest); });
    ReleaseSnapshot(now);
    return all;
}

}  // namespace

// (after, pattern, max_rows, branch, wait)
KVS_FUNCTION(kvs_events)
{
    RequireRead();
    const EventsArguments arguments = {OptionalInt8(fcinfo, 0).value_or(0), OptionalBytes(fcinfo, 1),
                                       Limit(fcinfo, 2), BytesOrEmpty(fcinfo, 3),
                                       OptionalMilliseconds(fcinfo, 4, "wait")};
    const CollectedRows rows = CollectRows(fcinfo);
    Events(arguments, rows);
    PG_RETURN_NULL();
}

KVS_FUNCTION(kvs_position)
{
    RequireRead();
    PG_RETURN_INT64(LastPosition(GetActiveSnapshot()));
}

// (pos, timeout)
KVS_FUNCTION(kvs_wait_for)
{
    RequireRead();
    const std::optional<int64> pos = OptionalInt8(fcinfo, 0);
    const int64 timeout = OptionalMilliseconds(fcinfo, 1, "timeout").value_or(INT_MAX);
    PG_RETURN_BOOL(pos ? WaitForPosition(*pos, timeout) : WaitForAll(timeout));
}

}  // namespace kvs::sqlapi
