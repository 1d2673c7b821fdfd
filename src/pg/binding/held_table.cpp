#include "pg/binding/held_table.h"

#include <algorithm>

#include "pg/table/owner_query.h"

namespace kvs::pg {

namespace {

constexpr int kFirstDelay = 5;  // ms
constexpr int kLongestDelay = 1000;

}  // namespace

std::vector<HeldKey> TakeDueKeys(int32 binding, TimestampTz* next_due) {
    std::vector<HeldKey> keys;
    *next_due = DT_NOEND;
    const TimestampTz now = GetCurrentTimestamp();
    OwnerQuery held(
        "SELECT key, by_store, by_table, stored_at, changed_at, delay, due FROM _kvs.binding_held"
        " WHERE binding = $1",
        {Parameter::Int4(binding)}, true);
    while (held.Next()) {
        if (held.Int8(7) > now) {
            *next_due = std::min<TimestampTz>(*next_due, held.Int8(7));
        } else {
            keys.push_back({std::string(held.Bytes(1)), held.Bool(2), held.Bool(3), held.Int8(4),
                            held.Int8(5), held.Int4(6)});
        }
    }
    held.Finish();
    if (!keys.empty()) {
        ExecuteAsOwner("DELETE FROM _kvs.binding_held WHERE binding = $1 AND due <= $2",
                       {Parameter::Int4(binding), Parameter::Time(now)});
    }
    return keys;
}

TimestampTz HoldKeys(int32 binding, const std::vector<HeldKey>& keys) {
    TimestampTz first = DT_NOEND;
    for (const HeldKey& key : keys) {
        const int delay = std::clamp(2 * key.delay, kFirstDelay, kLongestDelay);
        const TimestampTz due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay);
        first = std::min(first, due);
        // One that is put off already has changed again.
        ExecuteAsOwner(
            "INSERT INTO _kvs.binding_held AS h VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            " ON CONFLICT (binding, key) DO UPDATE SET by_store = h.by_store OR excluded.by_store,"
            " by_table = h.by_table OR excluded.by_table, stored_at = greatest(h.stored_at, "
            "excluded.stored_at),"
            " changed_at = greatest(h.changed_at, excluded.changed_at), delay = excluded.delay, due = "
            "excluded.due",
            {Parameter::Int4(binding), Parameter::Text(key.key), Parameter::Bool(key.by_store),
             Parameter::Bool(key.by_table), Parameter::Time(key.stored_at), Parameter::Time(key.changed_at),
             Parameter::Int4(delay), Parameter::Time(due)});
    }
    return first;
}

}  // namespace kvs::pg
