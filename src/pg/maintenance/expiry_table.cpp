#include "pg/maintenance/expiry_table.h"

#include <iterator>

#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

// Reminders as three arrays, the parameters of a statement.
struct ReminderArrays {
    Parameter branches;
    Parameter keys;
    Parameter moments;
};

ReminderArrays ArraysOf(std::span<const Reminder> reminders) {
    return Guarded([&]() -> ReminderArrays {
        const int count = static_cast<int>(reminders.size());
        auto* branches = static_cast<Datum*>(palloc(sizeof(Datum) * count));
        auto* keys = static_cast<Datum*>(palloc(sizeof(Datum) * count));
        auto* moments = static_cast<Datum*>(palloc(sizeof(Datum) * count));
        for (int i = 0; i < count; i++) {
            branches[i] = Int32GetDatum(reminders[i].branch_id);
            keys[i] = MakeVarlena(reminders[i].key);
            moments[i] = TimestampTzGetDatum(reminders[i].look_at);
        }
        const auto array = [count](Oid of, Datum* elements, Oid type, int size, bool by_value, char align) {
            return Parameter::Of(
                of, PointerGetDatum(construct_array(elements, count, type, size, by_value, align)));
        };
        return {
            array(INT4ARRAYOID, branches, INT4OID, sizeof(int32), true, TYPALIGN_INT),
            array(BYTEAARRAYOID, keys, BYTEAOID, -1, false, TYPALIGN_INT),
            array(TIMESTAMPTZARRAYOID, moments, TIMESTAMPTZOID, sizeof(TimestampTz), true, TYPALIGN_DOUBLE)};
    });
}

Parameter EndOf(const KeyRange& keys) {
    return keys.end ? Parameter::Bytea(*keys.end) : Parameter::Null(BYTEAOID);
}

}  // namespace

// Most entries that are written again have their reminder already, which is not written then.
void AddReminders(std::span<const Reminder> reminders) {
    if (reminders.empty()) {
        return;
    }
    const ReminderArrays arrays = ArraysOf(reminders);
    ExecuteAsOwner(
        "INSERT INTO _kvs.expiry (branch_id, key, look_at)"
        " SELECT n.branch_id, n.key, n.look_at"
        " FROM (SELECT branch_id, key, min(look_at) AS look_at"
        "       FROM unnest($1, $2, $3) AS u (branch_id, key, look_at) GROUP BY branch_id, key) AS n"
        " WHERE n.look_at < coalesce((SELECT e.look_at FROM _kvs.expiry AS e"
        "                             WHERE e.branch_id = n.branch_id AND e.key = n.key), 'infinity')"
        " ON CONFLICT (branch_id, key) DO UPDATE SET look_at = excluded.look_at",
        {arrays.branches, arrays.keys, arrays.moments});
}

std::vector<Reminder> DueReminders(const Reminder& after, TimestampTz now,
                                   const std::vector<int32>& but_branches, int max_count) {
    std::vector<Reminder> due;
    std::vector<Reminder> excluded;
    excluded.reserve(but_branches.size());
    for (const int32 branch : but_branches) {
        excluded.push_back({.branch_id = branch});
    }
    OwnerQuery row(
        "SELECT look_at, branch_id, key FROM _kvs.expiry"
        " WHERE (look_at, branch_id, key) > ($1, $2, $3) AND look_at <= $4 AND branch_id <> ALL ($5)"
        " ORDER BY look_at, branch_id, key LIMIT $6",
        {Parameter::Time(after.look_at), Parameter::Int4(after.branch_id), Parameter::Bytea(after.key),
         Parameter::Time(now), ArraysOf(excluded).branches, Parameter::Int4(max_count)},
        true);
    while (row.Next()) {
        due.push_back({row.Int8(1), row.Int4(2), std::string(row.Bytes(3))});
    }
    row.Finish();
    return due;
}

TimestampTz NextReminder(TimestampTz now) {
    OwnerQuery row("SELECT look_at FROM _kvs.expiry WHERE look_at > $1 ORDER BY look_at LIMIT 1",
                   {Parameter::Time(now)}, true);
    const TimestampTz next = row.Next() ? row.Int8(1) : DT_NOEND;
    row.Finish();
    return next;
}

void PutOffReminders(std::span<const Reminder> reminders) {
    std::vector<Reminder> done;
    std::vector<Reminder> put_off;
    for (const Reminder& reminder : reminders) {
        (reminder.look_at == DT_NOEND ? done : put_off).push_back(reminder);
    }
    if (!done.empty()) {
        const ReminderArrays arrays = ArraysOf(done);
        ExecuteAsOwner(
            "DELETE FROM _kvs.expiry AS e USING unnest($1, $2) AS u (branch_id, key)"
            " WHERE e.branch_id = u.branch_id AND e.key = u.key",
            {arrays.branches, arrays.keys});
    }
    if (!put_off.empty()) {
        const ReminderArrays arrays = ArraysOf(put_off);
        ExecuteAsOwner(
            "UPDATE _kvs.expiry AS e SET look_at = u.look_at FROM unnest($1, $2, $3) AS u (branch_id, key, "
            "look_at)"
            " WHERE e.branch_id = u.branch_id AND e.key = u.key",
            {arrays.branches, arrays.keys, arrays.moments});
    }
}

void CopyReminders(int32 from_branch, int32 to_branch, const KeyRange& keys) {
    ExecuteAsOwner(
        "INSERT INTO _kvs.expiry AS e (branch_id, key, look_at)"
        " SELECT $2, key, look_at FROM _kvs.expiry"
        " WHERE branch_id = $1 AND key >= $3 AND ($4 IS NULL OR key < $4)"
        " ON CONFLICT (branch_id, key) DO UPDATE SET look_at = excluded.look_at"
        " WHERE excluded.look_at < e.look_at",
        {Parameter::Int4(from_branch), Parameter::Int4(to_branch), Parameter::Bytea(keys.start),
         EndOf(keys)});
}

std::optional<std::string> ReminderBehind(int32 branch_id, const std::string& key, int n) {
    OwnerQuery row(
        "SELECT key FROM _kvs.expiry WHERE branch_id = $1 AND key >= $2 ORDER BY key OFFSET $3 LIMIT 1",
        {Parameter::Int4(branch_id), Parameter::Bytea(key), Parameter::Int4(n)}, true);
    std::optional<std::string> found;
    if (row.Next()) {
        found = row.Bytes(1);
    }
    row.Finish();
    return found;
}

std::optional<BranchToScan> NextBranchToScan() {
    OwnerQuery row("SELECT branch_id, next_key FROM _kvs.expiry_scan ORDER BY branch_id LIMIT 1", {}, true);
    std::optional<BranchToScan> found;
    if (row.Next()) {
        found = {row.Int4(1), std::string(row.Bytes(2))};
    }
    row.Finish();
    return found;
}

void ScanAllBranches() {
    ExecuteAsOwner(
        "INSERT INTO _kvs.expiry_scan (branch_id)"
        " SELECT id FROM _kvs.branch UNION SELECT 1 WHERE NOT EXISTS (SELECT FROM _kvs.branch)"
        " ON CONFLICT (branch_id) DO UPDATE SET next_key = ''");
}

void NoteScanned(int32 branch_id, const std::optional<std::string>& next_key) {
    if (next_key) {
        ExecuteAsOwner("UPDATE _kvs.expiry_scan SET next_key = $2 WHERE branch_id = $1",
                       {Parameter::Int4(branch_id), Parameter::Bytea(*next_key)});
    } else {
        ExecuteAsOwner("DELETE FROM _kvs.expiry_scan WHERE branch_id = $1", {Parameter::Int4(branch_id)});
    }
}

std::optional<int32> ScannedBranchLike(const Hash& head) {
    OwnerQuery row(
        "SELECT id FROM _kvs.branch WHERE id NOT IN (SELECT branch_id FROM _kvs.expiry_scan)"
        " ORDER BY head = $1 DESC, id LIMIT 1",
        {Parameter::Address(head)}, true);
    const std::optional<int32> found = row.Next() ? std::optional<int32>(row.Int4(1)) : std::nullopt;
    row.Finish();
    return found;
}

void ForgetBranch(int32 branch_id) {
    NoteScanned(branch_id, std::nullopt);
    ExecuteAsOwner("DELETE FROM _kvs.expiry WHERE branch_id = $1", {Parameter::Int4(branch_id)});
}

}  // namespace kvs::pg
