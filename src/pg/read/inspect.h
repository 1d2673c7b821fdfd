// A look inside the store: what commits, trees and objects consist of.
//
// Errors: kUnknownRef for a ref, or a hash that is none of what is asked for, kInvalidArgument for a
// malformed hash, kNotFound, kCorruption.
#pragma once

#include <string_view>

#include "kvs/json/json.h"

namespace kvs::pg {

Json InspectCommit(std::string_view ref);

// The figures of a tree: of the data that a ref means, or of any tree, by the hash of its root.
Json InspectTree(std::string_view ref_or_root);

// A commit, a tree node or a blob, by its full hash.
Json DumpObject(std::string_view hash);

}  // namespace kvs::pg
