#include "pg/wall/arguments.h"

#include <algorithm>

#include "kvs/codec/key.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

std::optional<std::string_view> OptionalBytes(FunctionCallInfo fcinfo, int argument) {
    if (PG_ARGISNULL(argument)) {
        return std::nullopt;
    }
    return DatumContents(PG_GETARG_DATUM(argument));
}

std::string_view RequiredBytes(FunctionCallInfo fcinfo, int argument, const char* name) {
    if (PG_ARGISNULL(argument)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name));
    }
    return DatumContents(PG_GETARG_DATUM(argument));
}

std::string_view RequiredJsonb(FunctionCallInfo fcinfo, int argument, const char* name) {
    if (PG_ARGISNULL(argument)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name),
                errhint("The JSON null is written 'null'::jsonb."));
    }
    return Contents(PG_GETARG_JSONB_P(argument));
}

std::string_view RequiredMessage(FunctionCallInfo fcinfo, int argument) {
    const std::string_view message = RequiredBytes(fcinfo, argument, "message");
    if (message.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("message must not be empty"),
                errhint("Say in a few words what the commit is about."));
    }
    return message;
}

std::optional<std::string_view> OptionalMessage(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? std::nullopt : std::optional(RequiredMessage(fcinfo, argument));
}

int64 RequiredInt8(FunctionCallInfo fcinfo, int argument, const char* name) {
    if (PG_ARGISNULL(argument)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name));
    }
    return PG_GETARG_INT64(argument);
}

std::optional<int64> OptionalInt8(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? std::nullopt : std::optional<int64>(PG_GETARG_INT64(argument));
}

std::optional<int32> OptionalInt4(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? std::nullopt : std::optional<int32>(PG_GETARG_INT32(argument));
}

bool BoolOr(FunctionCallInfo fcinfo, int argument, bool otherwise) {
    return PG_ARGISNULL(argument) ? otherwise : PG_GETARG_BOOL(argument);
}

std::optional<int64> OptionalMilliseconds(FunctionCallInfo fcinfo, int argument, const char* name) {
    if (PG_ARGISNULL(argument)) {
        return std::nullopt;
    }
    const Interval* interval = PG_GETARG_INTERVAL_P(argument);
    const double milliseconds = static_cast<double>(interval->time) / 1000.0 +
                                (interval->day + interval->month * static_cast<double>(DAYS_PER_MONTH)) *
                                    static_cast<double>(SECS_PER_DAY) * 1000.0;
    if (milliseconds < 0) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be negative", name));
    }
    return static_cast<int64>(std::min<double>(milliseconds, INT_MAX));
}

Datum KeyArgument(FunctionCallInfo fcinfo, int argument) {
    if (PG_ARGISNULL(argument)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("key must not be null"));
    }
    struct varlena* key = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(argument));
    ThrowUnlessKey(Contents(key));
    return PointerGetDatum(key);
}

std::optional<int64> Limit(FunctionCallInfo fcinfo, int argument, const char* name) {
    const std::optional<int64> limit = OptionalInt8(fcinfo, argument);
    if (limit && *limit < 0) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be negative", name));
    }
    return limit;
}

DatumArray RequiredArray(FunctionCallInfo fcinfo, int argument, const char* what) {
    if (PG_ARGISNULL(argument)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what));
    }
    ArrayType* array = PG_GETARG_ARRAYTYPE_P(argument);
    if (ARR_NDIM(array) > 1) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("%s must be a one-dimensional array", what));
    }
    if (array_contains_nulls(array)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not contain nulls", what));
    }
    DatumArray result = {nullptr, 0};
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
    deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &result.elements, nullptr,
                      &result.count);
    return result;
}

void ThrowUnlessKey(std::string_view key) {
    ValidateKey(key).OrThrow();
}

}  // namespace kvs::pg
