// Verification of the whole store, and its repair: check, repair.
#include <string>

#include "pg/check/check_store.h"
#include "pg/check/repair_store.h"
#include "pg/table/access_guard.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/fresh_snapshot.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

enum CheckColumn { kSeverity, kType, kObject, kDetail, kCheckColumns };

// The sort and the open tables of a check belong to one call, so the rows are collected.
void CheckInto(const CollectedRows& rows) {
    MemoryContext context = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs check row", ALLOCSET_SMALL_SIZES); });
    // As it is committed now, at every isolation level: what a transaction with one snapshot has brought may
    // refer to what others have stored since.
    FreshSnapshot fresh;
    CheckStore(fresh.get(), [&](const Finding& finding) {
        Guarded([&] {
            MemoryContextReset(context);
            MemoryContext caller = MemoryContextSwitchTo(context);
            Datum values[kCheckColumns] = {MakeVarlena(finding.severity), MakeVarlena(finding.type),
                                           MakeVarlena(finding.object), MakeVarlena(finding.detail)};
            bool nulls[kCheckColumns] = {};
            AddRow(rows, values, nulls);
            MemoryContextSwitchTo(caller);
        });
    });
    fresh.Release();
    Guarded([&] { MemoryContextDelete(context); });
}

enum RepairColumn { kOrphansRemoved, kProjectionsRebuilt, kErrors, kRepairColumns };

void RepairInto(const CollectedRows& rows) {
    const RepairResult result = RepairStore();
    Guarded([&] {
        Datum values[kRepairColumns] = {Int64GetDatum(result.orphans_removed), Int64GetDatum(0),
                                        TextArray(result.errors)};
        bool nulls[kRepairColumns] = {};
        AddRow(rows, values, nulls);
    });
}

}  // namespace

KVS_FUNCTION(kvs_check)
{
    RequireRead();
    CheckInto(CollectRows(fcinfo));
    PG_RETURN_NULL();
}

KVS_FUNCTION(kvs_repair)
{
    RequireWrite(ACL_INSERT | ACL_UPDATE | ACL_DELETE, "kvs.repair()");
    RepairInto(CollectRows(fcinfo));
    PG_RETURN_NULL();
}

}  // namespace kvs::sqlapi
