// The objects of a store as JSON objects, for people who look inside (read/inspect.h).
#pragma once

#include <cstdint>

#include "kvs/hash.h"
#include "kvs/json/json.h"
#include "kvs/tree/node.h"
#include "kvs/version/commit.h"

namespace kvs::pg {

Json NumberJson(uint64_t value);

// A commit's fields, and which changes of its log it took, which are no part of the commit itself.
Json::Object CommitMembers(const Hash& hash, const Commit& commit);

// A tree node's items. A leaf does not say of which tree it is: its items are metadata if all of them have
// that form, which is strict.
Json::Object NodeMembers(const Node& node);

}  // namespace kvs::pg
