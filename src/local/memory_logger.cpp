#include "kvs/local/memory_logger.h"

namespace kvs {

uint64_t MemoryLogger::LogStart(std::string_view operation, const StoreKey& key) noexcept {
    const std::lock_guard lock(mutex_);
    const uint64_t transaction = ++last_transaction_;
    try {
        open_.emplace(transaction,
                      OpenRecord{Record{transaction, std::string(operation), key, clock_.Now(), {}, {}},
                                 std::chrono::steady_clock::now()});
    } catch (...) {
        ++lost_;
    }
    return transaction;
}

void MemoryLogger::LogEnd(uint64_t transaction, const LogResult& result) noexcept {
    const std::lock_guard lock(mutex_);
    auto open = open_.extract(transaction);
    if (open.empty()) {
        return;
    }
    try {
        Record record = std::move(open.mapped().record);
        record.duration = std::chrono::steady_clock::now() - open.mapped().started;
        record.result = result;
        finished_.push_back(std::move(record));
        if (finished_.size() > capacity_) {
            finished_.pop_front();
        }
    } catch (...) {
        ++lost_;
    }
}

void MemoryLogger::LogWarning(std::string_view message) noexcept {
    const std::lock_guard lock(mutex_);
    try {
        warnings_.emplace_back(message);
        if (warnings_.size() > capacity_) {
            warnings_.pop_front();
        }
    } catch (...) {
        ++lost_;
    }
}

std::vector<MemoryLogger::Record> MemoryLogger::Records() const {
    const std::lock_guard lock(mutex_);
    return {finished_.begin(), finished_.end()};
}

std::vector<std::string> MemoryLogger::Warnings() const {
    const std::lock_guard lock(mutex_);
    return {warnings_.begin(), warnings_.end()};
}

size_t MemoryLogger::OpenRecords() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
}

uint64_t MemoryLogger::LostRecords() const {
    const std::lock_guard lock(mutex_);
    return lost_;
}

}  // namespace kvs
