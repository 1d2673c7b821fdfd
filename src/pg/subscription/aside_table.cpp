#include "pg/subscription/aside_table.h"

#include "pg/table/owner_query.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

extern "C" {
#include "common/hashfn.h"
}

namespace kvs::pg {

namespace {

enum EventColumn { kSubscriptionColumn = 1, kGenerationColumn, kPosColumn, kBranchColumn, kKeyColumn };
constexpr int kParkedAtColumn = 8;

Parameter Id(const Subscription& subscription) {
    return Parameter::Int4(subscription.id);
}

Parameter Generation(const Subscription& subscription) {
    return Parameter::Int4(subscription.generation);
}

Parameter KeyOrAll(const std::optional<std::string_view>& key) {
    return key ? Parameter::Text(*key) : Parameter::Null(TEXTOID);
}

}  // namespace

uint32 HashOf(int32 branch, std::string_view key) {
    const uint32 hash =
        hash_bytes(reinterpret_cast<const unsigned char*>(key.data()), static_cast<int>(key.size()));
    return hash_combine(hash, hash_bytes_uint32(static_cast<uint32>(branch)));
}

bool HasAside(const Subscription& subscription) {
    return Guarded([&] {
        SnapshotData dirty;
        InitDirtySnapshot(dirty);
        Table table = OpenForRead(Object::kSubscriptionEvent, Object::kSubscriptionEventPkey);
        ScanKeyData keys[2];
        KeyInt4(&keys[0], kSubscriptionColumn, subscription.id);
        KeyInt4(&keys[1], kGenerationColumn, subscription.generation);
        const bool found = Lookup(&table, &dirty, keys, 2);
        Close(&table);
        return found;
    });
}

// Rows of running transactions count: their keys are blocked anyway (kvs/event/delivery_board.h).
bool HoldsKey(const Subscription& subscription, int32 branch, std::string_view key) {
    return Guarded([&] {
        SnapshotData dirty;
        InitDirtySnapshot(dirty);
        Table table = OpenForRead(Object::kSubscriptionEvent, Object::kSubscriptionEventKey);
        ScanKeyData keys[4];
        KeyInt4(&keys[0], 1, subscription.id);
        KeyInt4(&keys[1], 2, subscription.generation);
        KeyInt4(&keys[2], 3, branch);
        KeyText(&keys[3], 4, MakeVarlena(key));
        IndexScanDesc scan = BeginScan(&table, &dirty, keys, 4);
        bool holds = false;
        while (!holds && index_getnext_slot(scan, ForwardScanDirection, table.slot)) {
            bool is_waiting;
            table.Get(kParkedAtColumn, &is_waiting);
            holds = is_waiting || subscription.holds_key;
        }
        index_endscan(scan);
        Close(&table);
        return holds;
    });
}

std::vector<AsideEvent> ReadyAside(const Subscription& subscription, int64 limit) {
    OwnerQuery rows(
        "SELECT e.pos, e.branch_id, e.key, e.deliveries, e.spared FROM _kvs.subscription_event AS e"
        " WHERE e.subscription = $1 AND e.generation = $2 AND e.parked_at IS NULL AND (NOT $3 OR NOT EXISTS ("
        "SELECT FROM _kvs.subscription_event AS p WHERE p.subscription = $1 AND p.generation = $2"
        " AND p.branch_id = e.branch_id AND p.key = e.key AND p.parked_at IS NOT NULL AND p.pos < e.pos))"
        " ORDER BY e.pos LIMIT $4",
        {Id(subscription), Generation(subscription), Parameter::Bool(subscription.holds_key),
         Parameter::Int8(limit)},
        true);
    std::vector<AsideEvent> events;
    while (rows.Next()) {
        EventKey key = {rows.Int4(2), std::string(rows.Bytes(3))};
        const uint32 hash = HashOf(key.branch, key.key);
        events.push_back({rows.Int8(1), hash, rows.Int4(4), rows.Int4(5), std::move(key)});
    }
    rows.Finish();
    return events;
}

void SetAside(const Subscription& subscription, int64 pos, const EventKey& key, uint32 deliveries) {
    ExecuteAsOwner(
        "INSERT INTO _kvs.subscription_event (subscription, generation, pos, branch_id, key, deliveries)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        {Id(subscription), Generation(subscription), Parameter::Int8(pos), Parameter::Int4(key.branch),
         Parameter::Text(key.key), Parameter::Int4(static_cast<int32>(deliveries))});
}

void Park(const Subscription& subscription, int64 pos, const EventKey& key, int32 deliveries,
          std::string_view reason) {
    ExecuteAsOwner(
        "INSERT INTO _kvs.subscription_event"
        " (subscription, generation, pos, branch_id, key, deliveries, parked_at, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), $7)"
        " ON CONFLICT (subscription, generation, pos) DO UPDATE"
        " SET deliveries = excluded.deliveries, parked_at = excluded.parked_at, reason = excluded.reason",
        {Id(subscription), Generation(subscription), Parameter::Int8(pos), Parameter::Int4(key.branch),
         Parameter::Text(key.key), Parameter::Int4(deliveries), Parameter::Text(reason)});
}

void CountDelivery(const Subscription& subscription, int64 pos) {
    ExecuteAsOwner(
        "UPDATE _kvs.subscription_event SET deliveries = deliveries + 1"
        " WHERE subscription = $1 AND generation = $2 AND pos = $3",
        {Id(subscription), Generation(subscription), Parameter::Int8(pos)});
}

bool RemoveAside(const Subscription& subscription, int64 pos) {
    return ExecuteAsOwner(
               "DELETE FROM _kvs.subscription_event WHERE subscription = $1 AND generation = $2 AND pos = $3",
               {Id(subscription), Generation(subscription), Parameter::Int8(pos)}) > 0;
}

int64 ReplayParked(const Subscription& subscription, const std::optional<std::string_view>& key) {
    return static_cast<int64>(
        ExecuteAsOwner("UPDATE _kvs.subscription_event SET parked_at = NULL, reason = NULL, sqlstate = NULL,"
                       " spared = deliveries WHERE subscription = $1 AND generation = $2"
                       " AND parked_at IS NOT NULL AND ($3 IS NULL OR key = $3)",
                       {Id(subscription), Generation(subscription), KeyOrAll(key)}));
}

std::optional<int64> FirstParked(const Subscription& subscription,
                                 const std::optional<std::string_view>& key) {
    OwnerQuery row(
        "SELECT min(pos) FROM _kvs.subscription_event WHERE subscription = $1 AND generation = $2"
        " AND parked_at IS NOT NULL AND ($3 IS NULL OR key = $3)",
        {Id(subscription), Generation(subscription), KeyOrAll(key)}, true);
    row.Next();
    const std::optional<int64> first = row.IsNull(1) ? std::nullopt : std::optional<int64>(row.Int8(1));
    row.Finish();
    return first;
}

}  // namespace kvs::pg
