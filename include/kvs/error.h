// Errors of the core: what went wrong, in the terms in which a user is told.
//
// Decoders and parsers return Result<T>, because their callers handle bad input. Everything else throws
// Error: the walls of src/pg turn it into an SQLSTATE, and nobody in between catches it.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace kvs {

enum class ErrorCode {
    kInvalidArgument,  // bad key, pattern, option: 22023
    kNullValue,        // 22004
    kWrongType,        // wrong kind of value: 42804
    kNotFound,         // P0002
    kUnknownRef,       // 42704
    kAlreadyExists,    // 42710
    kStaleVersion,     // KV001
    kPositionGone,     // of the stream, no longer available: KV002
    kPositionUnknown,  // of another history: KV003
    kSerialization,    // 40001
    kWrongState,       // 55000
    kReadOnly,         // 25006
    kLimitExceeded,    // 54000
    kCorruption,       // XX001
};

class Error : public std::runtime_error {
  public:
    Error(ErrorCode code, const std::string& message, std::string hint = {}, std::string detail = {})
        : std::runtime_error(message), code_(code), hint_(std::move(hint)), detail_(std::move(detail)) {}

    ErrorCode code() const { return code_; }
    const std::string& hint() const { return hint_; }
    const std::string& detail() const { return detail_; }

  private:
    ErrorCode code_;
    std::string hint_;
    std::string detail_;
};

// A value or the Error that prevented it.
template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::move(value)) {}
    Result(Error error) : state_(std::move(error)) {}

    bool ok() const { return std::holds_alternative<T>(state_); }
    const T& value() const& { return std::get<T>(state_); }
    T&& value() && { return std::get<T>(std::move(state_)); }
    const Error& error() const { return std::get<Error>(state_); }

    // The value, or throws the error.
    T OrThrow() && {
        if (!ok()) {
            throw error();
        }
        return std::get<T>(std::move(state_));
    }

  private:
    std::variant<T, Error> state_;
};

// Success, or the Error that says what is wrong: `return Ok();`.
using Status = Result<std::monostate>;

inline Status Ok() {
    return std::monostate{};
}

}  // namespace kvs
