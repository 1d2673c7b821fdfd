// Many writes to one branch in one go, each with an answer of its own.
//
// Keys are taken in their order, so that two batches over the same keys cannot deadlock; writes of one key in
// the order in which they were added, each finding what the one before has left. What the core refuses (a
// stale version, the wrong type of value, a limit) is an answer, since it is decided before anything of the
// key is written; what the server raises ends the transaction.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "kvs/error.h"
#include "pg/write/writer.h"

namespace kvs::pg {

// `value` as for Writer::Update; one that answers nullopt only reads. What they refer to must live until Run
// returns.
struct BatchWrite {
    Datum key = 0;
    WriteRequest request = {};
    ValueFunction value = nullptr;
};

struct BatchAnswer {
    enum class Status : uint8_t {
        kDone,        // `written` says whether the key has changed
        kRefused,     // `refusal` says why; the key stays as it was
        kBusy,        // another transaction has the key, or rewrites the branch
        kNotApplied,  // another write of an atomic batch was refused or busy
    };

    Status status = Status::kNotApplied;
    Written written = {};
    std::optional<Error> refusal = {};
};

// Runs the writes and answers in their order. `atomic`: all of them are done, or nothing. Errors:
// kUnknownRef, kSerialization, and what is no refusal.
std::vector<BatchAnswer> RunBatch(std::string_view branch, const std::vector<BatchWrite>& writes, bool atomic,
                                  Writer::Waiting waiting = Writer::Waiting::kYes);

// A batch of one, whose refusal is thrown.
Written WriteKey(std::string_view branch, Datum key, const WriteRequest& request,
                 const ValueFunction& value = nullptr);

}  // namespace kvs::pg
