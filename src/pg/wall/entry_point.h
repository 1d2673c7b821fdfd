// The outer wall: every extern "C" entry runs its C++ part under Enter, which lets no exception out and
// raises the server's error only after the catch block is left.
//
// An entry point has three phases: the server only (arguments, access guard), C++ only (with guarded calls),
// the server only (the result). KVS_FUNCTION wraps all of them; in the first and the last no object with a
// destructor may be alive, since an error raised there jumps over it.
#pragma once

#include <new>
#include <string>
#include <type_traits>

#include "kvs/error.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"
#include "pg/wall/settings.h"

namespace kvs::pg {

// An error on its way from a catch block to ereport. Static storage: nothing is allocated in between.
struct PendingError {
    ErrorData* server_error;  // set for PgError, then the rest is unused
    int sqlstate;
    char message[3072];
    char detail[1024];
    char hint[1024];

    void Set(int code, const char* message_text, const char* detail_text, const char* hint_text);
    [[noreturn]] void Raise();
};

extern PendingError pending_error;

// The SQLSTATE, encoded as ereport wants it, of a core error.
int SqlState(ErrorCode code);

template <typename Body>
auto Enter(Body&& body) -> decltype(body()) {
    using Value = decltype(body());
    try {
        return body();
    } catch (const PgError& error) {
        pending_error.server_error = error.data();
    } catch (const Error& error) {
        pending_error.Set(SqlState(error.code()), error.what(), error.detail().c_str(), error.hint().c_str());
    } catch (const std::bad_alloc&) {
        pending_error.Set(ERRCODE_OUT_OF_MEMORY, "out of memory", "", "");
    } catch (const std::exception& error) {
        pending_error.Set(ERRCODE_INTERNAL_ERROR, error.what(), "", "");
    } catch (...) {
        pending_error.Set(ERRCODE_INTERNAL_ERROR, "unknown C++ exception", "", "");
    }
    static_assert(std::is_void_v<Value> || std::is_trivially_destructible_v<Value>);
    pending_error.Raise();
}

// An entry point as an operation of its caller, one object each.
struct ObservedEntryPoint;
struct EntryPoint {
    const char* name;                        // of the SQL function
    ObservedEntryPoint* observed = nullptr;  // what the observer knows of it
};

using EntryBody = Datum (*)(FunctionCallInfo fcinfo);

// Whoever observes operations (pg/observe); null: nobody does.
extern Datum (*observe_call)(EntryPoint* entry, FunctionCallInfo fcinfo, EntryBody body);

inline Datum EnterObserved(EntryPoint* entry, FunctionCallInfo fcinfo, EntryBody body) {
    if (observe_call != nullptr && settings.observes()) {
        return observe_call(entry, fcinfo, body);
    }
    return Enter([=] { return body(fcinfo); });
}

}  // namespace kvs::pg

// Defines the SQL-callable C function kvs_NAME, an operation; the body that follows sees `fcinfo`.
#define KVS_FUNCTION(symbol)                                                    \
    static Datum symbol##_body(FunctionCallInfo fcinfo);                        \
    static kvs::pg::EntryPoint symbol##_point = {&#symbol[sizeof("kvs_") - 1]}; \
    extern "C" {                                                                \
    PG_FUNCTION_INFO_V1(symbol);                                                \
    PGDLLEXPORT Datum symbol(FunctionCallInfo fcinfo) {                         \
        return kvs::pg::EnterObserved(&symbol##_point, fcinfo, symbol##_body);  \
    }                                                                           \
    }                                                                           \
    static Datum symbol##_body([[maybe_unused]] FunctionCallInfo fcinfo)

// The same for a part of other functions and views, which is no operation of anybody's.
#define KVS_INNER_FUNCTION(symbol)                                    \
    static Datum symbol##_body(FunctionCallInfo fcinfo);              \
    extern "C" {                                                      \
    PG_FUNCTION_INFO_V1(symbol);                                      \
    PGDLLEXPORT Datum symbol(FunctionCallInfo fcinfo) {               \
        return kvs::pg::Enter([=] { return symbol##_body(fcinfo); }); \
    }                                                                 \
    }                                                                 \
    static Datum symbol##_body([[maybe_unused]] FunctionCallInfo fcinfo)
