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

}  // namespace kvs::pg

// Defines the SQL-callable C function `name`; the body that follows sees `fcinfo`.
#define KVS_FUNCTION(name)                                          \
    static Datum name##_body(FunctionCallInfo fcinfo);              \
    extern "C" {                                                    \
    PG_FUNCTION_INFO_V1(name);                                      \
    PGDLLEXPORT Datum name(FunctionCallInfo fcinfo) {               \
        return kvs::pg::Enter([=] { return name##_body(fcinfo); }); \
    }                                                               \
    }                                                               \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
