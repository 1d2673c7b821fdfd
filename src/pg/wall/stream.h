// Set-returning functions that stream (row.h says which do): one row per call, the state in between a C++
// object that dies with the query.
//
//     KVS_FUNCTION(kvs_scan) {
//         return StreamRows<ScanState>(fcinfo);
//     }
//
// State has a constructor ScanState(FunctionCallInfo), run in the first call with the statement's memory
// context current, and `bool Next(Datum* row)`, false after the last row. It must not hold a server resource
// between two calls, because a query may end early: its destructor runs when the memory context goes away,
// also in an abort, and may only free C++ memory.
#pragma once

#include "pg/wall/context_object.h"
#include "pg/wall/guard.h"
#include "pg/wall/row.h"
#include "pg/wall/server.h"

namespace kvs::pg {

template <typename State>
Datum StreamRows(FunctionCallInfo fcinfo) {
    using Holder = ContextObject<State>;
    if (SRF_IS_FIRSTCALL()) {
        FuncCallContext* first = Guarded([&] { return SRF_FIRSTCALL_INIT(); });
        MemoryContext caller = MemoryContextSwitchTo(first->multi_call_memory_ctx);
        first->user_fctx = Holder::Make(first->multi_call_memory_ctx, fcinfo);
        MemoryContextSwitchTo(caller);
    }
    FuncCallContext* call = Guarded([&] { return SRF_PERCALL_SETUP(); });
    auto* holder = static_cast<Holder*>(call->user_fctx);
    Datum row = 0;
    auto* result_info = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    if (holder->get()->Next(&row)) {
        call->call_cntr++;
        result_info->isDone = ExprMultipleResult;
        fcinfo->isnull = false;
        return row;
    }
    Guarded([&] { end_MultiFuncCall(fcinfo, call); });
    result_info->isDone = ExprEndResult;
    fcinfo->isnull = true;
    return Datum{0};
}

}  // namespace kvs::pg
