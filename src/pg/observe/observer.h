// Watches operations: counts them (operation_counts.h) and keeps some in the log (operation_log.h), as
// kvs.track_operations, kvs.log_min_duration and kvs.log_sample_rate say.
//
// A call that returns a set row by row is one operation, from its first row to the end of the query that
// reads it; so is a scan of a foreign table. It has failed if one of its own steps raised an error.
// Operations that others call by SQL are operations themselves. A session that is terminated in the middle of
// one leaves it uncounted.
#pragma once

#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Calls `body` as the operation `entry`: what observe_call is, once the memory is there.
Datum ObserveCall(EntryPoint* entry, FunctionCallInfo fcinfo, EntryBody body);

// An operation in steps that is under way.
struct ObservedSteps;
extern ObservedSteps* observed_steps;  // those of this backend

// Begins an operation that is no function: it ends when `context` is reset or deleted. `owner` is what its
// steps are found by; `key` null: none. Does nothing if nobody observes. Server code.
void ObserveSteps(EntryPoint* entry, const void* owner, MemoryContext context, const char* key,
                  const char* branch);

// Null if they are not observed.
ObservedSteps* FindObservedSteps(const void* owner);

// Ends it with the server's current error.
void FailObservedSteps(ObservedSteps* steps);

// Runs a step: `body` is code of an entry point's kind, under Enter.
template <typename Body>
auto EnterStep(const void* owner, Body&& body) -> decltype(body()) {
    ObservedSteps* steps = observed_steps == nullptr ? nullptr : FindObservedSteps(owner);
    if (steps == nullptr) {
        return Enter(body);
    }
    return Watched([&] { return Enter(body); }, [&] { FailObservedSteps(steps); });
}

}  // namespace kvs::pg
