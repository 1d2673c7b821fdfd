// The errors that tests expect.
#pragma once

#include <functional>
#include <optional>

#include "kvs/error.h"

namespace kvs::test {

// The error that `call` throws; a test failure elsewhere if it throws none.
inline std::optional<Error> ErrorOf(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error;
    }
    return std::nullopt;
}

inline std::optional<ErrorCode> CodeOf(const std::function<void()>& call) {
    const std::optional<Error> error = ErrorOf(call);
    return error.has_value() ? std::optional(error->code()) : std::nullopt;
}

}  // namespace kvs::test
