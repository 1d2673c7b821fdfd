// The observability layer: what the store was asked to do, how that ended, how long it took.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kvs/local/key_service.h"

namespace kvs {

struct LogResult {
    bool success = true;
    std::string error;  // the error's message when it did not succeed
};

// Safe to call from any thread. Never throws: a log that cannot be written must not fail the operation.
class Logger {
  public:
    virtual ~Logger() = default;

    // Opens a record and returns its number, to be given to LogEnd exactly once.
    virtual uint64_t LogStart(std::string_view operation, const StoreKey& key) noexcept = 0;

    virtual void LogEnd(uint64_t transaction, const LogResult& result) noexcept = 0;

    // Something outside any operation that somebody should know of.
    virtual void LogWarning(std::string_view message) noexcept = 0;
};

}  // namespace kvs
