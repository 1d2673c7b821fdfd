// Verification of the whole store: check.
#include <string>

#include "pg/access_guard.h"
#include "pg/check_store.h"
#include "pg/convert.h"
#include "pg/entry_point.h"

extern "C" {
#include "utils/tuplestore.h"
}

namespace {

using namespace kvs;
using namespace kvs::pg;

enum CheckColumn { kSeverity, kType, kObject, kDetail, kCheckColumns };

// The sort and the open tables of a check belong to one call, so the rows are collected: in work_mem, and
// beyond it on disk.
struct Rows {
    Tuplestorestate* store;
    TupleDesc row_type;
};

// Server code.
Rows CollectInto(FunctionCallInfo fcinfo) {
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    if (result == nullptr || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("set-valued function called in context that cannot accept a set"));
    }
    MemoryContext caller = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
    Rows rows;
    if (get_call_result_type(fcinfo, nullptr, &rows.row_type) != TYPEFUNC_COMPOSITE) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("function returning record called in context that cannot accept type record"));
    }
    rows.store =
        tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
    result->returnMode = SFRM_Materialize;
    result->setResult = rows.store;
    result->setDesc = rows.row_type;
    MemoryContextSwitchTo(caller);
    return rows;
}

void CheckInto(const Rows& rows) {
    MemoryContext context = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs check row", ALLOCSET_SMALL_SIZES); });
    CheckStore(GetActiveSnapshot(), [&](const Finding& finding) {
        Guarded([&] {
            MemoryContextReset(context);
            MemoryContext caller = MemoryContextSwitchTo(context);
            Datum values[kCheckColumns] = {MakeVarlena(finding.severity), MakeVarlena(finding.type),
                                           MakeVarlena(finding.object), MakeVarlena(finding.detail)};
            bool nulls[kCheckColumns] = {};
            tuplestore_putvalues(rows.store, rows.row_type, values, nulls);
            MemoryContextSwitchTo(caller);
        });
    });
    Guarded([&] { MemoryContextDelete(context); });
}

}  // namespace

KVS_FUNCTION(kvs_check)
{
    RequireRead();
    CheckInto(CollectInto(fcinfo));
    PG_RETURN_NULL();
}
