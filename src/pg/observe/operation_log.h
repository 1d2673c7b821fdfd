// The last operations that were slow or drawn for a sample, with how they ended. A ring in shared memory: an
// entry is kept whatever becomes of its transaction, and costs no write. Texts are cut to a fixed size.
//
// Server code.
#pragma once

#include <functional>
#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

constexpr const char* kOperationLogTranche = "kvs_operation_log";
constexpr int kOperationLogLocks = 16;

// A text of at most `size` bytes, or NULL.
template <int size>
struct LoggedText {
    int16 length = -1;  // -1: NULL
    char bytes[size];

    bool IsNull() const { return length < 0; }
    std::string_view view() const { return {bytes, static_cast<size_t>(length)}; }

    // Cuts `text` between two characters.
    void Set(std::string_view text) {
        length = static_cast<int16>(pg_mbcliplen(text.data(), static_cast<int>(text.size()), size));
        memcpy(bytes, text.data(), static_cast<size_t>(length));
    }
};

struct LoggedOperation {
    uint64 id = 0;  // 1, 2, 3 ... since the server started; 0: none
    Oid database = InvalidOid;
    Oid role = InvalidOid;
    TimestampTz started_at = 0;
    uint64 duration = 0;  // ns
    int sqlstate = 0;     // 0: no error
    LoggedText<NAMEDATALEN> operation;
    LoggedText<256> key;
    LoggedText<128> branch;
    LoggedText<256> error;
    LoggedText<64> traceparent;
};

size_t OperationLogMemory();

// Creates or attaches; the caller holds AddinShmemInitLock.
void AttachOperationLog();

// Gives the entry its id and puts it in the place of the oldest.
void LogOperation(LoggedOperation* entry);

// Calls `visit` with each entry, the oldest first. None if the library was not preloaded.
void ForEachLoggedOperation(const std::function<void(const LoggedOperation& entry)>& visit);

}  // namespace kvs::pg
