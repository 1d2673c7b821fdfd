// Whether two states are the same to a reader: values, expiry, tags and schemas count; versions, times and
// authors do not.
#pragma once

#include <string_view>

#include "kvs/node_store.h"
#include "kvs/tree/tree_pair.h"

namespace kvs {

// Whether two encoded metadata items agree in what a commit is for: tags and schema. Errors: kCorruption.
bool SameTagsAndSchema(std::string_view a, std::string_view b);

// Costs one comparison of hashes where the values differ, else the difference of the two metadata trees.
// Errors: kCorruption.
bool SameContents(NodeStore& store, const TreePair& a, const TreePair& b);

}  // namespace kvs
