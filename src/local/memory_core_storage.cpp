#include "kvs/local/memory_core_storage.h"

#include <algorithm>
#include <mutex>

namespace kvs {

std::optional<StoredEntry> MemoryCoreStorage::Get(const std::string& key) {
    const std::shared_lock lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? std::nullopt : std::optional(found->second.back());
}

std::optional<StoredEntry> MemoryCoreStorage::Update(const std::string& key, const Change& change) {
    const std::unique_lock lock(mutex_);
    const auto found = entries_.find(key);
    const StoredEntry* current = found == entries_.end() ? nullptr : &found->second.back();
    // The number is used up only by a change that is made: the log has no gaps.
    const ChangeId id{log_id_, last_seq_ + 1};
    std::optional<StoredEntry> next = change(current, id);
    if (!next.has_value()) {
        return next;
    }
    if (found == entries_.end()) {
        entries_.emplace(key, Revisions{*next});
    } else {
        found->second.push_back(*next);
    }
    last_seq_ = id.seq;
    return next;
}

void MemoryCoreStorage::Scan(std::string_view start, std::optional<std::string_view> end,
                             const Visitor& visit) {
    const std::shared_lock lock(mutex_);
    for (auto entry = entries_.lower_bound(start); entry != entries_.end(); ++entry) {
        if ((end.has_value() && entry->first >= *end) || !visit(entry->first, entry->second.back())) {
            return;
        }
    }
}

std::vector<std::string> MemoryCoreStorage::Keys() {
    const std::shared_lock lock(mutex_);
    std::vector<std::string> keys;
    for (const auto& [key, revisions] : entries_) {
        if (!revisions.back().metadata.deleted) {
            keys.push_back(key);
        }
    }
    return keys;
}

std::vector<StoredEntry> MemoryCoreStorage::History(const std::string& key, size_t max_rows) {
    const std::shared_lock lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
        return {};
    }
    const Revisions& revisions = found->second;
    const size_t count = std::min(max_rows, revisions.size());
    return {revisions.rbegin(), revisions.rbegin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace kvs
