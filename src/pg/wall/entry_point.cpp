#include "pg/wall/entry_point.h"

#include <cstring>

namespace kvs::pg {

PendingError pending_error;

Datum (*observe_call)(EntryPoint* entry, FunctionCallInfo fcinfo, EntryBody body);

void PendingError::Set(int code, const char* message_text, const char* detail_text, const char* hint_text) {
    server_error = nullptr;
    sqlstate = code;
    strlcpy(message, message_text, sizeof(message));
    strlcpy(detail, detail_text, sizeof(detail));
    strlcpy(hint, hint_text, sizeof(hint));
}

void PendingError::Raise() {
    if (server_error != nullptr) {
        ErrorData* error = server_error;
        server_error = nullptr;
        ReThrowError(error);
    }
    // A truncated text must still be valid in the server's encoding.
    message[pg_mbcliplen(message, static_cast<int>(strlen(message)), sizeof(message) - 1)] = '\0';
    ereport(ERROR, errcode(sqlstate), errmsg_internal("%s", message),
            detail[0] != '\0' ? errdetail_internal("%s", detail) : 0,
            hint[0] != '\0' ? errhint("%s", hint) : 0);
    pg_unreachable();
}

int SqlState(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalidArgument:
            return ERRCODE_INVALID_PARAMETER_VALUE;
        case ErrorCode::kNullValue:
            return ERRCODE_NULL_VALUE_NOT_ALLOWED;
        case ErrorCode::kWrongType:
            return ERRCODE_DATATYPE_MISMATCH;
        case ErrorCode::kNotFound:
            return ERRCODE_NO_DATA_FOUND;
        case ErrorCode::kUnknownRef:
            return ERRCODE_UNDEFINED_OBJECT;
        case ErrorCode::kAlreadyExists:
            return ERRCODE_DUPLICATE_OBJECT;
        case ErrorCode::kStaleVersion:
            return MAKE_SQLSTATE('K', 'V', '0', '0', '1');
        case ErrorCode::kPositionGone:
            return MAKE_SQLSTATE('K', 'V', '0', '0', '2');
        case ErrorCode::kPositionUnknown:
            return MAKE_SQLSTATE('K', 'V', '0', '0', '3');
        case ErrorCode::kSerialization:
            return ERRCODE_T_R_SERIALIZATION_FAILURE;
        case ErrorCode::kWrongState:
            return ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
        case ErrorCode::kReadOnly:
            return ERRCODE_READ_ONLY_SQL_TRANSACTION;
        case ErrorCode::kLimitExceeded:
            return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
        case ErrorCode::kCorruption:
            return ERRCODE_DATA_CORRUPTED;
    }
    return ERRCODE_INTERNAL_ERROR;
}

}  // namespace kvs::pg
