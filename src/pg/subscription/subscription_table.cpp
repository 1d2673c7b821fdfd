#include "pg/subscription/subscription_table.h"

#include <algorithm>

#include "kvs/error.h"
#include "kvs/pattern/pattern.h"
#include "kvs/util/quote.h"
#include "pg/table/access_guard.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

constexpr size_t kMaxNameSize = 255;

enum SubscriptionColumn {
    kIdColumn = 1,
    kNameColumn,
    kGenerationColumn,
    kStartPosColumn,
    kPatternColumn,
    kBranchColumn,
    kOperationsColumn,
    kMaxDeliveriesColumn,
    kHoldsKeyColumn,
    kMaxInFlightColumn,
    kCreatorColumn,
    kCreatedAtColumn,
    kSubscriptionColumns = kCreatedAtColumn
};

std::optional<int32> Int4At(const Table& table, int column) {
    bool is_null;
    const Datum datum = table.Get(column, &is_null);
    return is_null ? std::nullopt : std::optional<int32>(DatumGetInt32(datum));
}

// The row of the name, copied for C++ by `copy`, which may not call the server; false if there is none.
bool FindRow(std::string_view name, Subscription* found) {
    struct Columns {
        Subscription* to;
        Datum* operations;
        int operation_count;
        const char* pattern;
        const char* creator;
    } columns = {};
    std::optional<int32> branch;
    std::optional<int32> max_deliveries;
    std::optional<int32> max_in_flight;
    Snapshot snapshot = RegisterLatestSnapshot();
    const bool is_there = Guarded([&] {
        Table table = OpenForRead(Object::kSubscription, Object::kSubscriptionName);
        ScanKeyData key;
        KeyText(&key, 1, MakeVarlena(name));
        const bool hit = Lookup(&table, snapshot, &key, 1);
        if (hit) {
            found->id = DatumGetInt32(table.Get(kIdColumn));
            found->generation = DatumGetInt32(table.Get(kGenerationColumn));
            found->start_pos = DatumGetInt64(table.Get(kStartPosColumn));
            found->holds_key = DatumGetBool(table.Get(kHoldsKeyColumn));
            branch = Int4At(table, kBranchColumn);
            max_deliveries = Int4At(table, kMaxDeliveriesColumn);
            max_in_flight = Int4At(table, kMaxInFlightColumn);
            columns.pattern = TextDatumGetCString(table.Get(kPatternColumn));
            columns.creator = TextDatumGetCString(table.Get(kCreatorColumn));
            bool is_null;
            const Datum operations = table.Get(kOperationsColumn, &is_null);
            if (!is_null) {
                deconstruct_array(DatumGetArrayTypePCopy(operations), TEXTOID, -1, false, TYPALIGN_INT,
                                  &columns.operations, nullptr, &columns.operation_count);
            }
        }
        Close(&table);
        return hit;
    });
    ReleaseSnapshot(snapshot);
    if (!is_there) {
        return false;
    }
    found->name = name;
    found->branch = branch;
    found->max_deliveries = max_deliveries;
    found->max_in_flight = max_in_flight;
    found->pattern = columns.pattern;
    found->creator = columns.creator;
    found->operations.clear();
    for (int i = 0; i < columns.operation_count; i++) {
        found->operations.emplace_back(Contents(DatumGetPointer(columns.operations[i])));
    }
    return true;
}

Error Unknown(std::string_view name) {
    return {ErrorCode::kUnknownRef, "subscription " + Quoted(name) + " does not exist",
            "The view kvs.subscriptions lists the subscriptions."};
}

void RequireCreatorOf(const Subscription& subscription, const char* action) {
    Guarded([&] {
        RequireCreator(subscription.creator.c_str(), "subscription", subscription.name.c_str(), action);
    });
}

}  // namespace

EventFilter Subscription::Filter() const {
    EventFilter filter;
    filter.branch = branch;
    Pattern parsed = Pattern::Parse(pattern).OrThrow();
    if (!parsed.MatchesEverything()) {
        filter.pattern = std::move(parsed);
    }
    return filter;
}

// set and delete stand for what becomes of the key, all others for what did it.
bool Subscription::Wants(const EventReader& event) const {
    if (operations.empty()) {
        return true;
    }
    const std::string_view outcome = event.item() != nullptr ? "set" : "delete";
    const std::string_view cause = OperationName(event.operation());
    return std::any_of(operations.begin(), operations.end(), [&](const std::string& wanted) {
        return wanted == outcome || (wanted == cause && wanted != "set" && wanted != "delete");
    });
}

bool HasSubscription(std::string_view name) {
    Subscription found;
    return FindRow(name, &found);
}

Subscription FindSubscription(std::string_view name) {
    Subscription found;
    if (!FindRow(name, &found)) {
        throw Unknown(name);
    }
    return found;
}

Subscription UseSubscription(std::string_view name) {
    Guarded([] { NoteWrite(); });
    const int32 id = FindSubscription(name).id;
    LockSubscription(id);
    // It may have been dropped before the lock was there.
    Subscription found = FindSubscription(name);
    if (found.id != id) {
        throw Unknown(name);
    }
    return found;
}

Subscription ReadAgain(const Subscription& subscription) {
    return FindSubscription(subscription.name);
}

void CreateSubscription(Subscription subscription) {
    if (subscription.name.empty() || subscription.name.size() > kMaxNameSize) {
        throw Error(ErrorCode::kInvalidArgument,
                    "the name of a subscription must have 1 to " + std::to_string(kMaxNameSize) + " bytes");
    }
    const bool added = Guarded([&] {
        NoteWrite();
        const Object indexes[] = {Object::kSubscriptionName, Object::kSubscriptionPkey};
        Table table = OpenForWrite(Object::kSubscription, indexes, 2);
        Datum values[kSubscriptionColumns];
        bool nulls[kSubscriptionColumns] = {};
        const auto set = [&](int column, Datum value) { values[column - 1] = value; };
        const auto set_or_null = [&](int column, const std::optional<int32>& value) {
            values[column - 1] = Int32GetDatum(value.value_or(0));
            nulls[column - 1] = !value;
        };
        set(kIdColumn, Int32GetDatum(static_cast<int32>(
                           nextval_internal(ObjectOid(Object::kSubscriptionIdSequence), false))));
        set(kNameColumn, MakeVarlena(subscription.name));
        set(kGenerationColumn, Int32GetDatum(1));
        set(kStartPosColumn, Int64GetDatum(subscription.start_pos));
        set(kPatternColumn, MakeVarlena(subscription.pattern));
        set_or_null(kBranchColumn, subscription.branch);
        set(kOperationsColumn, TextArray(subscription.operations));
        nulls[kOperationsColumn - 1] = subscription.operations.empty();
        set_or_null(kMaxDeliveriesColumn, subscription.max_deliveries);
        set(kHoldsKeyColumn, BoolGetDatum(subscription.holds_key));
        set_or_null(kMaxInFlightColumn, subscription.max_in_flight);
        set(kCreatorColumn, CStringGetTextDatum(GetUserNameFromId(GetUserId(), false)));
        set(kCreatedAtColumn, TimestampTzGetDatum(GetCurrentTimestamp()));
        ScanKeyData key;
        KeyText(&key, 1, values[kNameColumn - 1]);
        const bool inserted = InsertIfAbsent(&table, values, nulls, &key, 1);
        Close(&table);
        CommandCounterIncrement();
        return inserted;
    });
    if (!added) {
        throw Error(ErrorCode::kAlreadyExists,
                    "subscription " + Quoted(subscription.name) + " already exists",
                    "The view kvs.subscriptions lists them; kvs.drop_subscription(name) removes one.");
    }
}

bool DropSubscription(std::string_view name) {
    Subscription found;
    if (!FindRow(name, &found)) {
        return false;
    }
    RequireCreatorOf(found, "drop");
    Guarded([] { NoteWrite(); });
    LockSubscriptionForDrop(found.id);
    ExecuteAsOwner("DELETE FROM _kvs.subscription_event WHERE subscription = $1",
                   {Parameter::Int4(found.id)});
    ExecuteAsOwner("DELETE FROM _kvs.subscription_member WHERE subscription = $1",
                   {Parameter::Int4(found.id)});
    return ExecuteAsOwner("DELETE FROM _kvs.subscription WHERE id = $1", {Parameter::Int4(found.id)}) > 0;
}

void SeekSubscription(std::string_view name, int64 pos) {
    Subscription found = UseSubscription(name);
    RequireCreatorOf(found, "move");
    // Whoever moves it at the same time waits here, and goes on from what the other has made of it.
    OwnerQuery moved(
        "UPDATE _kvs.subscription SET generation = generation + 1, start_pos = $2 WHERE id = $1"
        " RETURNING generation",
        {Parameter::Int4(found.id), Parameter::Int8(pos)}, true);
    moved.Next();
    const int32 generation = moved.Int4(1);
    moved.Finish();
    // What is parked, and what waits for it, goes along, unless the subscription comes to it again.
    ExecuteAsOwner(
        "UPDATE _kvs.subscription_event AS e SET generation = $2"
        " WHERE subscription = $1 AND generation = $2 - 1 AND pos <= $3 AND EXISTS ("
        "SELECT FROM _kvs.subscription_event AS p WHERE p.subscription = $1 AND p.generation = $2 - 1"
        " AND p.branch_id = e.branch_id AND p.key = e.key AND p.parked_at IS NOT NULL AND p.pos <= e.pos)",
        {Parameter::Int4(found.id), Parameter::Int4(generation), Parameter::Int8(pos)});
    ExecuteAsOwner("DELETE FROM _kvs.subscription_event WHERE subscription = $1 AND generation < $2",
                   {Parameter::Int4(found.id), Parameter::Int4(generation)});
}

std::optional<int64> NeededBySubscriptions() {
    OwnerQuery row(
        "SELECT min(needed) FROM (SELECT needed FROM _kvs.subscription_place"
        " UNION ALL SELECT pos FROM _kvs.binding_place) AS places",
        {}, true);
    row.Next();
    const std::optional<int64> pos = row.IsNull(1) ? std::nullopt : std::optional<int64>(row.Int8(1));
    row.Finish();
    return pos;
}

}  // namespace kvs::pg
