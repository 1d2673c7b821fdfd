// Three-way merge of arrays as wholes, for the policies append and set, and what tells elements apart. What
// the merged arrays hold is laid down in kvs/merge/document_merge.h.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "kvs/json/json.h"

namespace kvs {

// What equal values (SameValue), and only they, have in common.
std::string ValueKey(const Json& json);

Json::Array MergeAppended(const Json::Array& base, const Json::Array& ours, const Json::Array& theirs);

Json::Array MergeSets(const Json::Array& base, const Json::Array& ours, const Json::Array& theirs);

// Where the element stands whose member FIELD has this ValueKey.
using ElementIndex = std::map<std::string, size_t>;

// nullopt if not every element is an object with the member, of a value of its own.
std::optional<ElementIndex> IndexElements(const Json::Array& items, const std::string& field);

}  // namespace kvs
