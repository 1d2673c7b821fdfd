#include "pg/wall/collected_rows.h"

namespace kvs::pg {

CollectedRows CollectRows(FunctionCallInfo fcinfo) {
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    if (result == nullptr || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0) {
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("set-valued function called in context that cannot accept a set"));
    }
    MemoryContext caller = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
    CollectedRows rows;
    Oid type;
    switch (get_call_result_type(fcinfo, &type, &rows.row_type)) {
        case TYPEFUNC_COMPOSITE:
            break;
        case TYPEFUNC_SCALAR:
            rows.row_type = CreateTemplateTupleDesc(1);
            TupleDescInitEntry(rows.row_type, 1, "value", type, -1, 0);
            break;
        default:
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

}  // namespace kvs::pg
