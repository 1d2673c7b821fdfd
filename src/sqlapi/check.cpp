// Verification of the whole store, and its repair: check, repair.
#include "pg/check/check_store.h"
#include "pg/check/repair_store.h"
#include "pg/table/access_guard.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/snapshot.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

enum CheckColumn { kSeverity, kType, kObject, kDetail, kCheckColumns };

void CheckInto(const CollectedRows& rows) {
    MemoryContext context = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs check row", ALLOCSET_SMALL_SIZES); });
    // As it is committed now, at every isolation level: what a transaction with one snapshot has brought may
    // refer to what others have stored since.
    ActiveSnapshot fresh(RegisterLatestSnapshot());
    CheckStore(fresh.get(), [&](const Finding& finding) {
        Guarded([&] {
            MemoryContextReset(context);
            MemoryContext caller = MemoryContextSwitchTo(context);
            Row<kCheckColumns> row;
            row.Set(kSeverity, MakeVarlena(finding.severity));
            row.Set(kType, MakeVarlena(finding.type));
            row.Set(kObject, MakeVarlena(finding.object));
            row.Set(kDetail, MakeVarlena(finding.detail));
            AddRow(rows, row);
            MemoryContextSwitchTo(caller);
        });
    });
    fresh.Release();
    Guarded([&] { MemoryContextDelete(context); });
}

enum RepairColumn { kOrphansRemoved, kProjectionsRebuilt, kErrors, kRepairColumns };

Datum Repair(FunctionCallInfo fcinfo) {
    const RepairResult result = RepairStore();
    return Guarded([&] {
        Row<kRepairColumns> row;
        row.Set(kOrphansRemoved, Int64GetDatum(result.orphans_removed));
        row.Set(kProjectionsRebuilt, Int64GetDatum(0));
        row.Set(kErrors, TextArray(result.errors));
        return row.Form(ResultRowType(fcinfo));
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
    return Repair(fcinfo);
}

}  // namespace kvs::sqlapi
