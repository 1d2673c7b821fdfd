// What the two sides of each key were when they were brought together last, _kvs.binding_base.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct BindingBase {
    std::optional<Hash> entry;  // of the document; nullopt: there was none
    std::optional<Hash> row;    // of the image
};

// Of those keys that were ever brought together.
std::map<std::string, BindingBase> ReadBases(int32 binding, const std::vector<std::string>& keys);

void WriteBases(int32 binding, const std::map<std::string, BindingBase>& bases);

// The keys known behind `after`, ascending.
std::vector<std::string> ListBases(int32 binding, std::string_view after, int limit);

}  // namespace kvs::pg
