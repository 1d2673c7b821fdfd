// Durable subscriptions: create_subscription, poll, ack, ack_many, nack, extend, park, replay_parked, seek,
// drop_subscription, and what the view kvs.subscriptions asks.
#include <algorithm>
#include <optional>
#include <string>

#include "kvs/error.h"
#include "kvs/event/member_state.h"
#include "kvs/pattern/pattern.h"
#include "kvs/util/quote.h"
#include "pg/binding/binding_table.h"
#include "pg/binding/parked_table.h"
#include "pg/stream/event_row.h"
#include "pg/stream/position.h"
#include "pg/stream/tick_table.h"
#include "pg/stream/wait.h"
#include "pg/subscription/acknowledge.h"
#include "pg/subscription/poll.h"
#include "pg/subscription/subscription_table.h"
#include "pg/table/access_guard.h"
#include "pg/table/branch_table.h"
#include "pg/table/stream_signal.h"
#include "pg/wall/arguments.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr int64 kDefaultRows = 100;
constexpr int64 kDefaultLease = 30000;  // ms

// Columns of kvs.delivery: those of kvs.change_event, and these.
enum DeliveryColumn : uint8 { kDeliveryCount = kEventColumns, kLeaseUntil, kDeliveryColumns };

// Of kvs.create_subscription.
struct Wishes {
    std::string_view name;
    std::string_view pattern;
    std::optional<int64> from_pos;
    std::string_view branch;  // empty: the session's; *: all
    DatumArray operations;
    std::optional<int32> max_deliveries;
    std::string_view on_park;
    std::optional<int32> max_in_flight;
};

bool IsOperation(std::string_view text) {
    for (int i = static_cast<int>(Operation::kSet); i <= static_cast<int>(Operation::kImport); i++) {
        if (text == OperationName(static_cast<Operation>(i))) {
            return true;
        }
    }
    return false;
}

void RequirePositive(const std::optional<int32>& value, const char* name) {
    if (value && *value < 1) {
        throw Error(ErrorCode::kInvalidArgument, std::string(name) + " must be positive");
    }
}

int64 Create(const Wishes& wishes) {
    Subscription subscription;
    subscription.name = wishes.name;
    subscription.pattern = Pattern::Parse(wishes.pattern).OrThrow().text();
    for (int i = 0; i < wishes.operations.count; i++) {
        const std::string_view operation = Contents(DatumGetPointer(wishes.operations.elements[i]));
        if (!IsOperation(operation)) {
            throw Error(
                ErrorCode::kInvalidArgument, "unknown operation " + Quoted(operation),
                "The operations are set, delete, patch, expire, merge, revert, reset, restore, import.");
        }
        subscription.operations.emplace_back(operation);
    }
    if (wishes.on_park != "hold_key" && wishes.on_park != "skip") {
        throw Error(ErrorCode::kInvalidArgument,
                    "on_park must be hold_key or skip, not " + Quoted(wishes.on_park));
    }
    subscription.holds_key = wishes.on_park == "hold_key";
    RequirePositive(wishes.max_deliveries, "max_deliveries");
    RequirePositive(wishes.max_in_flight, "max_in_flight");
    subscription.max_deliveries = wishes.max_deliveries;
    subscription.max_in_flight = wishes.max_in_flight;
    Snapshot latest = RegisterLatestSnapshot();
    if (wishes.branch != "*") {
        subscription.branch = FindBranch(wishes.branch, latest).id;
    }
    subscription.start_pos =
        wishes.from_pos ? *wishes.from_pos : Guarded([&] { return LastPosition(latest); });
    ReleaseSnapshot(latest);
    CheckPosition(subscription.start_pos);
    Binding binding;
    if (TryFindBinding(wishes.name, &binding)) {
        throw Error(ErrorCode::kAlreadyExists, "binding " + Quoted(wishes.name) + " already exists",
                    "Bindings and subscriptions share their names.");
    }
    CreateSubscription(subscription);
    return subscription.start_pos;
}

void AddDelivery(EventReader* reader, BranchNames* names, const Lease& lease, Snapshot snapshot,
                 const CollectedRows& rows) {
    reader->SkipTo(lease.pos - 1);
    if (!reader->Next() || reader->pos() != lease.pos) {
        throw CouldNotSerialize("an event is newer than the snapshot of this transaction");
    }
    EventRow event = MakeEventRow(reader, names->Of(reader->branch_id(), snapshot));
    Row<kDeliveryColumns> row;
    for (int i = 0; i < kEventColumns; i++) {
        if (!event.IsNull(static_cast<EventColumn>(i))) {
            row.Set(static_cast<DeliveryColumn>(i), event.Value(static_cast<EventColumn>(i)));
        }
    }
    row.Set(kDeliveryCount, Int32GetDatum(static_cast<int32>(lease.deliveries)));
    row.Set(kLeaseUntil, TimestampTzGetDatum(lease.until));
    Guarded([&] { AddRow(rows, row); });
}

void AddDeliveries(const Poll& poll, Snapshot snapshot, const CollectedRows& rows) {
    if (poll.deliveries().empty()) {
        return;
    }
    MemoryContext row_context = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs delivery", ALLOCSET_DEFAULT_SIZES); });
    EventReader reader(poll.deliveries().front().pos - 1, {}, snapshot);
    BranchNames names;
    for (const Lease& lease : poll.deliveries()) {
        {
            const MemoryScope scope(row_context);
            AddDelivery(&reader, &names, lease, snapshot, rows);
        }
        Guarded([&] { MemoryContextReset(row_context); });
    }
    reader.Close();
    Guarded([&] { MemoryContextDelete(row_context); });
}

void PollOnce(Poll* poll, const CollectedRows& rows) {
    Snapshot snapshot = RegisterOperationSnapshot();
    if (!poll->Try(snapshot)) {
        poll->Finish(snapshot);
    }
    AddDeliveries(*poll, snapshot, rows);
    ReleaseSnapshot(snapshot);
}

void PollAndWait(Poll* poll, int64 wait, bool wants_none, const CollectedRows& rows) {
    const bool found = WaitFor(
        wait, [&](Snapshot latest) { return wants_none || poll->Try(latest); }, poll->patience());
    Snapshot snapshot = RegisterLatestSnapshot();
    if (!found) {
        poll->Finish(snapshot);
    } else {
        // The privilege may have gone while it waited.
        Guarded([] { RequireRead(); });
    }
    AddDeliveries(*poll, snapshot, rows);
    ReleaseSnapshot(snapshot);
}

// A position, or what stands for one.
int64 PlaceOf(std::string_view target) {
    Snapshot latest = RegisterLatestSnapshot();
    int64 pos;
    if (target == "start") {
        pos = StartOfStream(latest);
    } else if (target == "end") {
        pos = Guarded([&] { return LastPosition(latest); });
    } else if (!target.empty() && target.find_first_not_of("0123456789") == std::string_view::npos) {
        const std::string digits(target);
        pos = Guarded(
            [&] { return DatumGetInt64(DirectFunctionCall1(int8in, CStringGetDatum(digits.c_str()))); });
    } else {
        const std::string text(target);
        const TimestampTz moment = Guarded([&] {
            return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text.c_str()),
                                                           ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
        });
        pos = std::max(PositionBefore(moment), StartOfStream(latest));
    }
    ReleaseSnapshot(latest);
    CheckPosition(pos);
    return pos;
}

// Of a subscription, or of a binding.
int64 Replay(std::string_view name, const std::optional<std::string_view>& key) {
    Binding binding;
    if (TryFindBinding(name, &binding)) {
        RequireBindingOwner(binding, "replay what is parked of");
        return RetryParkedKeys(binding.id, key);
    }
    const Subscription subscription = UseSubscription(name);
    if (const std::optional<int64> first = FirstParked(subscription, key)) {
        CheckPosition(*first - 1);
    }
    Guarded([] { NoteFreed(FreedWhen::kAtEnd); });
    return ReplayParked(subscription, key);
}

int64 Seek(std::string_view name, std::string_view target) {
    FindSubscription(name);
    const int64 pos = PlaceOf(target);
    SeekSubscription(name, pos);
    Guarded([] { NoteFreed(FreedWhen::kAtEnd); });
    return pos;
}

// The lease argument. Errors: 22023 unless it is positive; 22004 for none, where `otherwise` is 0.
int64 LeaseArgument(FunctionCallInfo fcinfo, int argument, int64 otherwise) {
    const std::optional<int64> lease = OptionalMilliseconds(fcinfo, argument, "lease");
    if (!lease && otherwise == 0) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("lease must not be null"));
    }
    if (lease && *lease < 1) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("lease must be positive"));
    }
    return lease.value_or(otherwise);
}

}  // namespace

// (name, pattern, from_pos, branch, operations, max_deliveries, on_park, max_in_flight)
KVS_FUNCTION(kvs_create_subscription)
{
    RequireWrite(ACL_SELECT, "kvs.create_subscription()");
    const Wishes wishes = {RequiredBytes(fcinfo, 0, "name"),
                           OptionalBytes(fcinfo, 1).value_or("#"),
                           OptionalInt8(fcinfo, 2),
                           BytesOrEmpty(fcinfo, 3),
                           PG_ARGISNULL(4) ? DatumArray{} : RequiredArray(fcinfo, 4, "operations"),
                           OptionalInt4(fcinfo, 5),
                           OptionalBytes(fcinfo, 6).value_or("hold_key"),
                           OptionalInt4(fcinfo, 7)};
    PG_RETURN_INT64(Create(wishes));
}

// (name, member, max_rows, lease, wait)
KVS_FUNCTION(kvs_poll)
{
    RequireWrite(ACL_SELECT, "kvs.poll()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    const std::string_view member = BytesOrEmpty(fcinfo, 1);
    const int64 max_rows = Limit(fcinfo, 2).value_or(kDefaultRows);
    const int64 lease = LeaseArgument(fcinfo, 3, kDefaultLease);
    const std::optional<int64> wait = OptionalMilliseconds(fcinfo, 4, "wait");
    const CollectedRows rows = CollectRows(fcinfo);
    Poll poll(name, member, max_rows, lease);
    if (wait) {
        PollAndWait(&poll, *wait, max_rows == 0, rows);
    } else {
        PollOnce(&poll, rows);
    }
    PG_RETURN_NULL();
}

// (name, pos, member)
KVS_FUNCTION(kvs_ack)
{
    RequireWrite(ACL_SELECT, "kvs.ack()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    const int64 pos = RequiredInt8(fcinfo, 1, "pos");
    Acknowledge(name, BytesOrEmpty(fcinfo, 2), {pos});
    PG_RETURN_BOOL(true);
}

// (name, pos, member). NULL is what array_agg makes of no events.
KVS_FUNCTION(kvs_ack_many)
{
    RequireWrite(ACL_SELECT, "kvs.ack_many()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    const DatumArray array = PG_ARGISNULL(1) ? DatumArray{} : RequiredArray(fcinfo, 1, "pos");
    const std::string_view member = BytesOrEmpty(fcinfo, 2);
    std::vector<int64> positions(static_cast<size_t>(array.count));
    for (size_t i = 0; i < positions.size(); i++) {
        positions[i] = DatumGetInt64(array.elements[i]);
    }
    if (!positions.empty()) {
        Acknowledge(name, member, positions);
    }
    PG_RETURN_INT64(array.count);
}

// (name, pos, delay, member)
KVS_FUNCTION(kvs_nack)
{
    RequireWrite(ACL_SELECT, "kvs.nack()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    const int64 pos = RequiredInt8(fcinfo, 1, "pos");
    const int64 delay = OptionalMilliseconds(fcinfo, 2, "delay").value_or(0);
    GiveBack(name, BytesOrEmpty(fcinfo, 3), pos, delay);
    PG_RETURN_BOOL(true);
}

// (name, lease, member)
KVS_FUNCTION(kvs_extend)
{
    RequireWrite(ACL_SELECT, "kvs.extend()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    const int64 lease = LeaseArgument(fcinfo, 1, 0);
    PG_RETURN_BOOL(ExtendLeases(name, BytesOrEmpty(fcinfo, 2), lease));
}

// (name, pos, reason)
KVS_FUNCTION(kvs_park)
{
    RequireWrite(ACL_SELECT, "kvs.park()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    const int64 pos = RequiredInt8(fcinfo, 1, "pos");
    ParkEvent(name, pos, RequiredBytes(fcinfo, 2, "reason"));
    PG_RETURN_BOOL(true);
}

// (name, key)
KVS_FUNCTION(kvs_replay_parked)
{
    RequireWrite(ACL_SELECT, "kvs.replay_parked()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    PG_RETURN_INT64(Replay(name, OptionalBytes(fcinfo, 1)));
}

// (name, target)
KVS_FUNCTION(kvs_seek)
{
    RequireWrite(ACL_SELECT, "kvs.seek()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    PG_RETURN_INT64(Seek(name, RequiredBytes(fcinfo, 1, "target")));
}

// (name)
KVS_FUNCTION(kvs_drop_subscription)
{
    RequireWrite(ACL_SELECT, "kvs.drop_subscription()");
    PG_RETURN_BOOL(DropSubscription(RequiredBytes(fcinfo, 0, "name")));
}

enum LeaseColumn : uint8 { kLeasePos, kLeaseDeliveries, kLeaseEnd, kLeaseColumns };

// (state)
KVS_FUNCTION(kvs_member_leases)
{
    const std::string_view encoded = RequiredBytes(fcinfo, 0, "state");
    const CollectedRows rows = CollectRows(fcinfo);
    const MemberState state = DecodeMemberState(encoded).OrThrow();
    for (const Lease& lease : state.leases) {
        if (lease.is_returned || lease.is_moved) {
            continue;
        }
        Guarded([&] {
            Row<kLeaseColumns> row;
            row.Set(kLeasePos, Int64GetDatum(lease.pos));
            row.Set(kLeaseDeliveries, Int32GetDatum(static_cast<int32>(lease.deliveries)));
            row.Set(kLeaseEnd, TimestampTzGetDatum(lease.until));
            AddRow(rows, row);
        });
    }
    PG_RETURN_NULL();
}

}  // namespace kvs::sqlapi
