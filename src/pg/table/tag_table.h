// Tags, _kvs.tag: names of commits that do not move.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct Tag {
    std::string name;
    Hash commit;
    std::optional<std::string> message;
    std::string tagger;
    TimestampTz created_at;
};

std::optional<Hash> FindTag(std::string_view name, Snapshot snapshot);

// All that is known of it.
std::optional<Tag> ReadTag(std::string_view name, Snapshot snapshot);

// Calls `visit` for each tag, by name, until it answers false. The name is valid within the call; a commit
// that is no address is unset.
void ForEachTag(Snapshot snapshot,
                const std::function<bool(std::string_view name, const std::optional<Hash>& commit)>& visit);

// To be called under the lock of the name, which is free.
void AddTag(const Tag& tag);

// False if there is none.
bool RemoveTag(std::string_view name);

}  // namespace kvs::pg
