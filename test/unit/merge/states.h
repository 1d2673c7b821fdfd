// States of a branch as maps, the trees of them, and random histories, for the tests of merging.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "kvs/merge/merge_cursor.h"
#include "unit/tree/support.h"

namespace kvs::test {

struct StoredEntry {
    std::string meta;
    std::optional<std::string> item;

    bool operator==(const StoredEntry&) const = default;
};

using State = std::map<std::string, StoredEntry>;

inline TreePair BuildState(NodeStore& store, const State& state) {
    TreeEditor data(store, kEmptyRoot);
    TreeEditor meta(store, kEmptyRoot);
    for (const auto& [key, entry] : state) {
        if (entry.item) {
            data.Put(key, *entry.item);
        }
        if (!entry.meta.empty()) {
            meta.Put(key, entry.meta);
        }
    }
    return {data.Finish(), meta.Finish()};
}

inline StoredEntry Find(const State& state, const std::string& key) {
    const auto entry = state.find(key);
    return entry == state.end() ? StoredEntry{} : entry->second;
}

// The keys that a merge of theirs has to look at, by comparing whole states.
inline std::vector<std::string> ChangedKeys(const State& base, const State& theirs) {
    State keys = base;
    keys.insert(theirs.begin(), theirs.end());
    std::vector<std::string> changed;
    for (const auto& [key, entry] : keys) {
        if (Find(base, key) != Find(theirs, key)) {
            changed.push_back(key);
        }
    }
    return changed;
}

}  // namespace kvs::test
