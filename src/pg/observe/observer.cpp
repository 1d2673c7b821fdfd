#include "pg/observe/observer.h"

#include <chrono>

#include "pg/observe/operation_counts.h"
#include "pg/observe/operation_log.h"
#include "pg/wall/convert.h"
#include "pg/wall/settings.h"

extern "C" {
#include "common/pg_prng.h"
#include "utils/syscache.h"
}

namespace kvs::pg {

// Of an entry point, looked up once per backend.
struct ObservedEntryPoint {
    CountedOperation* counts;  // null: there is no room
    int key_argument;          // the first text named key, pattern or prefix; -1: none
    int branch_argument;
};

namespace {

// One call, while it runs. What the log needs is noted only where it may be needed.
struct Observation {
    EntryPoint* entry;
    uint64 start;  // ns
    bool noted;
    Oid role;
    decltype(LoggedOperation::key) key;
    decltype(LoggedOperation::branch) branch;
};

uint64 Now() {
    return static_cast<uint64>(std::chrono::steady_clock::now().time_since_epoch().count());
}

bool Logs() {
    return settings.log_min_duration >= 0 || settings.log_sample_rate > 0;
}

bool IsToBeLogged(uint64 duration) {
    constexpr uint64 kMillisecond = 1'000'000;
    return (settings.log_min_duration >= 0 &&
            duration >= static_cast<uint64>(settings.log_min_duration) * kMillisecond) ||
           (settings.log_sample_rate > 0 && pg_prng_double(&pg_global_prng_state) < settings.log_sample_rate);
}

void FindArguments(Oid function, ObservedEntryPoint* observed) {
    HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(row)) {
        return;
    }
    Oid* types;
    char** names;
    char* modes;
    const int count = get_func_arg_info(row, &types, &names, &modes);
    for (int i = 0; names != nullptr && i < count; i++) {
        const std::string_view name = names[i];
        if (types[i] != TEXTOID) {
            continue;
        }
        if (observed->key_argument < 0 && (name == "key" || name == "pattern" || name == "prefix")) {
            observed->key_argument = i;
        }
        if (name == "branch") {
            observed->branch_argument = i;
        }
    }
    ReleaseSysCache(row);
}

// `function`: invalid where it is none.
void LookUp(EntryPoint* entry, Oid function) {
    ObservedEntryPoint observed = {nullptr, -1, -1};
    if (OidIsValid(function)) {
        FindArguments(function, &observed);
    }
    observed.counts = FindCountedOperation(entry->name);
    auto* kept =
        static_cast<ObservedEntryPoint*>(MemoryContextAlloc(TopMemoryContext, sizeof(ObservedEntryPoint)));
    *kept = observed;
    entry->observed = kept;
}

template <typename Text>
void NoteArgument(FunctionCallInfo fcinfo, int argument, Text* noted) {
    if (argument >= 0 && argument < PG_NARGS() && !PG_ARGISNULL(argument)) {
        noted->Set(DatumContents(PG_GETARG_DATUM(argument)));
    }
}

void Begin(EntryPoint* entry, Oid function, Observation* observation) {
    if (entry->observed == nullptr) {
        LookUp(entry, function);
    }
    observation->entry = entry;
    observation->noted = Logs();
    observation->start = Now();
}

// What the caller has noted so far comes from its arguments.
void NoteSession(Observation* observation) {
    observation->role = GetUserId();
    if (observation->branch.IsNull()) {
        observation->branch.Set(settings.branch);
    }
}

void Log(const Observation& observation, uint64 duration, bool failed) {
    LoggedOperation entry;
    entry.database = MyDatabaseId;
    entry.role = observation.role;
    entry.duration = duration;
    entry.started_at = GetCurrentTimestamp() - static_cast<TimestampTz>(duration / 1000);
    entry.operation.Set(observation.entry->name);
    entry.key = observation.key;
    entry.branch = observation.branch;
    if (failed) {
        ErrorData* error = CopyErrorData();
        entry.sqlstate = error->sqlerrcode;
        entry.error.Set(error->message == nullptr ? "" : error->message);
        FreeErrorData(error);
    }
    if (settings.traceparent[0] != '\0') {
        entry.traceparent.Set(settings.traceparent);
    }
    LogOperation(&entry);
}

// `failed`: with the server's current error.
void End(const Observation& observation, bool failed) {
    const uint64 duration = Now() - observation.start;
    CountedOperation* counts = observation.entry->observed->counts;
    if (settings.track_operations && counts != nullptr) {
        CountOperation(counts, duration, failed);
    }
    if (observation.noted && IsToBeLogged(duration)) {
        Log(observation, duration, failed);
    }
}

}  // namespace

// A list, of which a backend rarely has more than one.
struct ObservedSteps {
    Observation observation;
    const void* owner;
    bool ended;
    ObservedSteps* next;
    MemoryContextCallback at_end;
};

ObservedSteps* observed_steps;

namespace {

// Also after an abort: then the operation did not end by itself, but no step of its own has failed.
void EndSteps(void* argument) {
    auto* steps = static_cast<ObservedSteps*>(argument);
    ObservedSteps** link = &observed_steps;
    while (*link != steps) {
        link = &(*link)->next;
    }
    *link = steps->next;
    if (!steps->ended) {
        End(steps->observation, false);
    }
}

void KeepSteps(const Observation& observation, const void* owner, MemoryContext context) {
    auto* steps = static_cast<ObservedSteps*>(MemoryContextAlloc(context, sizeof(ObservedSteps)));
    *steps = {observation, owner, false, observed_steps, {EndSteps, steps, nullptr}};
    observed_steps = steps;
    MemoryContextRegisterResetCallback(context, &steps->at_end);
}

// Whether the function has returned a row and will be called for the next.
bool GoesOn(FunctionCallInfo fcinfo) {
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    return fcinfo->flinfo->fn_retset && result != nullptr && IsA(result, ReturnSetInfo) &&
           result->isDone == ExprMultipleResult;
}

}  // namespace

ObservedSteps* FindObservedSteps(const void* owner) {
    ObservedSteps* steps = observed_steps;
    while (steps != nullptr && steps->owner != owner) {
        steps = steps->next;
    }
    return steps;
}

void FailObservedSteps(ObservedSteps* steps) {
    if (!steps->ended) {
        steps->ended = true;
        End(steps->observation, true);
    }
}

void ObserveSteps(EntryPoint* entry, const void* owner, MemoryContext context, const char* key,
                  const char* branch) {
    if (observe_call == nullptr || !settings.observes()) {
        return;
    }
    Observation observation;
    Begin(entry, InvalidOid, &observation);
    if (observation.noted) {
        if (key != nullptr) {
            observation.key.Set(key);
        }
        observation.branch.Set(branch);
        NoteSession(&observation);
    }
    KeepSteps(observation, owner, context);
}

// The server keeps what a function that returns its rows one by one has to remember in fn_extra; so that is
// there in all calls but the first, and names the operation.
Datum ObserveCall(EntryPoint* entry, FunctionCallInfo fcinfo, EntryBody body) {
    const auto run = [&] { return body(fcinfo); };
    if (fcinfo->flinfo->fn_retset && fcinfo->flinfo->fn_extra != nullptr) {
        return EnterStep(fcinfo->flinfo->fn_extra, run);
    }
    Observation observation;
    Begin(entry, fcinfo->flinfo->fn_oid, &observation);
    if (observation.noted) {
        NoteArgument(fcinfo, entry->observed->key_argument, &observation.key);
        NoteArgument(fcinfo, entry->observed->branch_argument, &observation.branch);
        NoteSession(&observation);
    }
    const Datum result = Watched([&] { return Enter(run); }, [&] { End(observation, true); });
    if (GoesOn(fcinfo)) {
        auto* call = static_cast<FuncCallContext*>(fcinfo->flinfo->fn_extra);
        KeepSteps(observation, call, call->multi_call_memory_ctx);
    } else {
        End(observation, false);
    }
    return result;
}

}  // namespace kvs::pg
