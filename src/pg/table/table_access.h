// Direct access to the extension's tables by the table and index access methods, without the executor.
//
// Server code, but for ForEachRow: call under Guarded. Handles hold relation references of the current
// resource owner; they are closed on the normal way only, because an error's abort releases them.
#pragma once

#include "kvs/hash.h"
#include "pg/table/catalog.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// A table opened with some of its indexes; indexes[0] is the one that Lookup and Scan use.
struct Table {
    static constexpr int kMaxIndexes = 3;

    Relation heap;
    Relation indexes[kMaxIndexes];
    Object index_objects[kMaxIndexes];
    int index_count;
    LOCKMODE mode;
    TupleTableSlot* slot;  // the row last found, or the one being written
    IndexScanDesc lookup;  // of Lookup; null before the first one

    Datum Get(int attribute, bool* is_null) const { return slot_getattr(slot, attribute, is_null); }

    // The attribute, which must not be null.
    Datum Get(int attribute) const {
        bool is_null;
        return slot_getattr(slot, attribute, &is_null);
    }
};

// Opens for reading: the table and its index `by`.
Table OpenForRead(Object table, Object by);

// Opens for writing with every index in `indexes` (the first is used for look-ups).
Table OpenForWrite(Object table, const Object* indexes, int index_count, LOCKMODE mode = RowExclusiveLock);

// The same by object identifiers, for tables of which there are several; the indexes have the shapes of
// `shapes`.
Table OpenTable(Oid table, const Oid* indexes, const Object* shapes, int index_count, LOCKMODE mode);

void Close(Table* table);

// Finds the first row, in this direction of the index, that the keys address under `snapshot`, and leaves it
// in table->slot. All look-ups in a table from its opening to its closing are made under one resource owner.
bool Lookup(Table* table, Snapshot snapshot, ScanKey keys, int key_count,
            ScanDirection direction = ForwardScanDirection);

// The transaction that inserted the row at `address` (indexes[0] is of addresses), as it stands in the row;
// InvalidTransactionId if there is none.
TransactionId InserterOf(Table* table, Snapshot snapshot, const Hash& address);

// Starts an ordered scan of indexes[0]; the next rows come by index_getnext_slot(scan, ..., table->slot).
IndexScanDesc BeginScan(Table* table, Snapshot snapshot, ScanKey keys, int key_count);

// Calls `visit` for each row that the keys address, in the order of the index or against it, until it answers
// false. `read`, server code, takes out of the row what `visit`, which is none, wants to know of it.
template <typename Read, typename Visit>
void ForEachRow(Object object, Object index, Snapshot snapshot, ScanDirection direction, ScanKey keys,
                int key_count, Read read, Visit visit) {
    Table table;
    IndexScanDesc scan = Guarded([&] {
        table = OpenForRead(object, index);
        return BeginScan(&table, snapshot, keys, key_count);
    });
    const auto next = [&] {
        CHECK_FOR_INTERRUPTS();
        const bool found = index_getnext_slot(scan, direction, table.slot);
        if (found) {
            read(table);
        }
        return found;
    };
    while (Guarded(next) && visit()) {
    }
    Guarded([&] {
        index_endscan(scan);
        Close(&table);
    });
}

// The functions that write take the row's slot over: `values` must not point into a row found before.

// Inserts a row and its index entries; a duplicate key raises 23505.
void Insert(Table* table, Datum* values, bool* nulls);

// The same for `count` rows, whose values stand one behind the other: what goes onto one page is logged as
// one record. Pays from two rows on.
void InsertRows(Table* table, Datum* values, bool* nulls, int count);

// The same, but false if the key of one may exist already by indexes[0], without waiting for anybody. Some
// rows are inserted then, so that the caller has to roll back the subtransaction that he called this in.
bool InsertRowsIfAbsent(Table* table, Datum* values, bool* nulls, int count);

// Replaces the row at `tid`, seen under `snapshot`; with wait = false returns at once if another transaction
// holds it.
TM_Result Update(Table* table, ItemPointer tid, Datum* values, bool* nulls, Snapshot snapshot,
                 bool wait = true);

// Deletes the row at `tid`, seen under `snapshot`; with wait = false returns at once if another
// transaction holds it.
TM_Result Delete(Table* table, ItemPointer tid, Snapshot snapshot, bool wait);

// Inserts a row unless one with that key exists: false then, after waiting for transactions that are about to
// insert or delete it. `keys` address the row by indexes[0], which must be unique and is the arbiter of what
// exists; no snapshot is asked. `look` = false, for a row that is hardly there, saves a look at the index; if
// it is there nevertheless, a dead tuple is left.
bool InsertIfAbsent(Table* table, Datum* values, bool* nulls, ScanKey keys, int key_count, bool look = true);

// The same in two steps. Between them others who meet the key wait for the outcome. If the row is not
// `unique`, somebody else holds the key, and keep must be false.
struct SpeculativeRow {
    TupleTableSlot* slot;
    Datum* values;
    bool* nulls;
    TransactionId xid;
    uint32 token;
    bool unique;
};
SpeculativeRow BeginSpeculative(Table* table, Datum* values, bool* nulls);
void FinishSpeculative(Table* table, SpeculativeRow* row, bool keep);

// Whether there is a row that a snapshot might not see: one that is committed by now, or that somebody is
// inserting or deleting. `unfinished`: whether somebody is, for whom WaitForBlocker can wait.
bool Probe(Table* table, ScanKey keys, int key_count, bool* unfinished);

// Waits for the transaction that holds the key, as found by a dirty scan. False if nobody does any more.
bool WaitForBlocker(Table* table, ScanKey keys, int key_count);

// Scan keys for the types used as keys here.
void KeyInt4(ScanKey key, int attribute, int32 value, StrategyNumber strategy = BTEqualStrategyNumber);
void KeyInt8(ScanKey key, int attribute, int64 value, StrategyNumber strategy = BTEqualStrategyNumber);
void KeyBytea(ScanKey key, int attribute, Datum value, StrategyNumber strategy = BTEqualStrategyNumber);
void KeyText(ScanKey key, int attribute, Datum value, StrategyNumber strategy = BTEqualStrategyNumber);

}  // namespace kvs::pg
