// Errors that many operations raise in the same words.
#pragma once

#include <string>

#include "kvs/error.h"

namespace kvs::pg {

constexpr const char* kCheckHint = "SELECT * FROM kvs.check() tells what is damaged.";

// What is stored contradicts itself; `problem` says where.
inline Error Damaged(const std::string& problem) {
    return {ErrorCode::kCorruption, problem, kCheckHint};
}

// The same for those who remove what nothing refers to.
inline Error DamagedNotCollected(const std::string& problem) {
    return {ErrorCode::kCorruption, problem,
            "Nothing is collected from a damaged store. " + std::string(kCheckHint)};
}

// This transaction has lost a race. `reason`: "a concurrent ..."
inline Error CouldNotSerialize(const std::string& reason) {
    return {ErrorCode::kSerialization, "could not serialize access due to " + reason,
            "Retry the transaction."};
}

}  // namespace kvs::pg
