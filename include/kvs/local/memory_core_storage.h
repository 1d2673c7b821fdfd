// CoreStorage in memory: a sorted map under a reader-writer lock.
#pragma once

#include <map>
#include <shared_mutex>

#include "kvs/local/core_storage.h"

namespace kvs {

// Keeps every revision of every key for as long as it lives. Reads run beside each other, an update excludes
// everything else while `change` runs, and calls it exactly once.
class MemoryCoreStorage final : public CoreStorage {
  public:
    // `log_id` identifies the changes of this store among those of others.
    explicit MemoryCoreStorage(const std::array<uint8_t, 16>& log_id = {}) : log_id_(log_id) {}

    std::optional<StoredEntry> Get(const std::string& key) override;
    std::optional<StoredEntry> Update(const std::string& key, const Change& change) override;
    void Scan(std::string_view start, std::optional<std::string_view> end, const Visitor& visit) override;
    std::vector<std::string> Keys() override;
    std::vector<StoredEntry> History(const std::string& key, size_t max_rows) override;

  private:
    using Revisions = std::vector<StoredEntry>;  // oldest first, never empty

    const std::array<uint8_t, 16> log_id_;
    std::shared_mutex mutex_;  // guards what follows
    std::map<std::string, Revisions, std::less<>> entries_;
    uint64_t last_seq_ = 0;
};

}  // namespace kvs
