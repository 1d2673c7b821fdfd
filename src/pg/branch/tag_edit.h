// Making, moving and deleting tags, with the locks and checks that go with it.
#pragma once

#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/table/tag_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Returns the commit that `ref` means. Errors: kInvalidArgument for a malformed name, kAlreadyExists,
// kUnknownRef, kWrongState for WORKING.
Hash CreateTag(std::string_view name, std::string_view ref, std::optional<std::string_view> message);

// False if there is none.
bool DeleteTag(std::string_view name);

// Takes over a tag that was made elsewhere; its commit must be whole. Answers where it stood; nullopt if it
// is new. Errors: kInvalidArgument for a malformed name, kAlreadyExists for that of a branch, kWrongState if
// it stands at another commit, unless `force`.
std::optional<Hash> PlaceTag(const Tag& tag, bool force);

}  // namespace kvs::pg
