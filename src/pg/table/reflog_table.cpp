#include "pg/table/reflog_table.h"

#include "pg/table/owner_query.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

enum ReflogColumn {
    kIdColumn = 1,
    kBranchIdColumn,
    kBranchColumn,
    kFromColumn,
    kToColumn,
    kOperationColumn,
    kAuthorColumn,
    kAtColumn,
    kDiscardedColumn,
    kReflogColumns = kDiscardedColumn
};

Table OpenReflogForWrite() {
    const Object indexes[] = {Object::kReflogPkey, Object::kReflogBranch};
    return OpenForWrite(Object::kReflog, indexes, std::size(indexes));
}

MoveAddress AddressIn(const Table& table, int column) {
    bool is_null;
    const Datum datum = table.Get(column, &is_null);
    return {is_null, is_null ? std::nullopt : DatumAddress(datum)};
}

// From the newest move back, of those that the keys address.
void ScanMoves(Object index, Snapshot snapshot, ScanKey keys, int key_count,
               const std::function<bool(const Move& move)>& visit) {
    Move move;
    ForEachRow(
        Object::kReflog, index, snapshot, BackwardScanDirection, keys, key_count,
        [&](const Table& table) {
            move.id = DatumGetInt64(table.Get(kIdColumn));
            move.branch_id = DatumGetInt32(table.Get(kBranchIdColumn));
            move.branch = DatumContents(table.Get(kBranchColumn));
            move.from = AddressIn(table, kFromColumn);
            move.to = AddressIn(table, kToColumn);
            move.discarded_root = AddressIn(table, kDiscardedColumn);
            move.at = DatumGetTimestampTz(table.Get(kAtColumn));
        },
        [&] { return visit(move); });
}

void ForEachMoveOf(std::string_view branch, Snapshot snapshot,
                   const std::function<bool(const Move& move)>& visit) {
    ScanKeyData key;
    Guarded([&] { KeyText(&key, 1, MakeVarlena(branch)); });
    ScanMoves(Object::kReflogBranch, snapshot, &key, 1, visit);
}

std::optional<Hash> Whole(const MoveAddress& address) {
    if (!address.is_null && !address.hash) {
        throw Damaged("_kvs.reflog holds something that is no address");
    }
    return address.hash;
}

}  // namespace

void AppendReflog(const Branch& branch, const Hash* from, const Hash* to, const char* operation,
                  std::string_view author, const Hash* discarded_root) {
    Guarded([&] {
        Table table = OpenReflogForWrite();
        Datum values[kReflogColumns] = {
            Int64GetDatum(nextval_internal(ObjectOid(Object::kReflogIdSequence), false)),
            Int32GetDatum(branch.id),
            MakeVarlena(branch.name),
            from != nullptr ? HashDatum(*from) : Datum{0},
            to != nullptr ? HashDatum(*to) : Datum{0},
            MakeVarlena(operation),
            MakeVarlena(author),
            TimestampTzGetDatum(GetCurrentTimestamp()),
            discarded_root != nullptr ? HashDatum(*discarded_root) : Datum{0}};
        bool nulls[kReflogColumns] = {};
        nulls[kFromColumn - 1] = from == nullptr;
        nulls[kToColumn - 1] = to == nullptr;
        nulls[kDiscardedColumn - 1] = discarded_root == nullptr;
        Insert(&table, values, nulls);
        Close(&table);
        CommandCounterIncrement();
    });
}

void RenameMoves(int32 branch_id, std::string_view name, std::string_view new_name) {
    ExecuteAsOwner("UPDATE _kvs.reflog SET branch = $3 WHERE branch_id = $1 AND branch = $2",
                   {Parameter::Int4(branch_id), Parameter::Text(name), Parameter::Text(new_name)});
}

std::optional<Hash> ReflogEntry(std::string_view branch, uint64_t n, Snapshot snapshot) {
    std::optional<Hash> found;
    uint64_t at = 0;
    ForEachMoveOf(branch, snapshot, [&](const Move& move) {
        // One entry behind the oldest move is where that move came from.
        if (at == n || at + 1 == n) {
            found = Whole(at == n ? move.to : move.from);
        }
        return at++ < n;
    });
    return found;
}

std::optional<Hash> ReflogAt(const Branch& branch, TimestampTz moment, Snapshot snapshot) {
    std::optional<Hash> found = branch.head;
    ForEachMoveOf(branch.name, snapshot, [&](const Move& move) {
        const bool before = move.at <= moment;
        found = Whole(before ? move.to : move.from);
        return !before;
    });
    return found;
}

std::optional<Hash> LastMoveOf(int32 branch_id, std::string_view branch, Snapshot snapshot) {
    std::optional<Hash> found;
    ForEachMoveOf(branch, snapshot, [&](const Move& move) {
        found = move.to.hash;
        return move.branch_id != branch_id;
    });
    return found;
}

void ForEachMove(Snapshot snapshot, const std::function<bool(const Move& move)>& visit) {
    ScanMoves(Object::kReflogPkey, snapshot, nullptr, 0, visit);
}

bool HoldsDiscardedWork(TimestampTz moment) {
    OwnerQuery row("SELECT FROM _kvs.reflog WHERE at < $1 AND discarded_root IS NOT NULL LIMIT 1",
                   {Parameter::Time(moment)});
    const bool found = row.Next();
    row.Finish();
    return found;
}

void ForgetMoves(TimestampTz moment, const std::function<bool(const Hash& commit)>& is_collected,
                 Snapshot snapshot) {
    Guarded([&] {
        Table table = OpenReflogForWrite();
        TupleTableSlot* row = table_slot_create(table.heap, nullptr);
        TableScanDesc scan = table_beginscan(table.heap, snapshot, 0, nullptr);
        while (table_scan_getnextslot(scan, ForwardScanDirection, row)) {
            CHECK_FOR_INTERRUPTS();
            slot_getallattrs(row);
            const auto value = [&](int column) { return row->tts_values[column - 1]; };
            const auto is_null = [&](int column) { return row->tts_isnull[column - 1]; };
            if (DatumGetTimestampTz(value(kAtColumn)) >= moment) {
                continue;
            }
            const auto names_collected = [&](int column) {
                const std::optional<Hash> commit =
                    is_null(column) ? std::nullopt : DatumAddress(value(column));
                return commit && is_collected(*commit);
            };
            ItemPointerData tid = row->tts_tid;
            const bool forgets_from = names_collected(kFromColumn);
            if (names_collected(kToColumn)) {
                Delete(&table, &tid, snapshot, true);
            } else if (forgets_from || !is_null(kDiscardedColumn)) {
                Datum values[kReflogColumns];
                bool nulls[kReflogColumns];
                memcpy(values, row->tts_values, sizeof(values));
                memcpy(nulls, row->tts_isnull, sizeof(nulls));
                nulls[kFromColumn - 1] |= forgets_from;
                nulls[kDiscardedColumn - 1] = true;
                Update(&table, &tid, values, nulls, snapshot);
            }
        }
        table_endscan(scan);
        ExecDropSingleTupleTableSlot(row);
        Close(&table);
        CommandCounterIncrement();
    });
}

}  // namespace kvs::pg
