// Keys at which a binding has failed, _kvs.binding_parked.
//
// What failed is not kept as it was: when the key is tried again, both sides are looked at as they are then.
// So nothing has to be held but the fact, and what comes of the key meanwhile is only counted.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pg/wall/server.h"

namespace kvs::pg {

struct Fault {
    std::string reason;
    std::string sqlstate;
};

// `pos` 0: no event; `value`: a jsonb.
void ParkKey(int32 binding, std::string_view key, int64 pos, const Fault& fault, std::optional<Datum> value);

// Which of the keys are parked; counts for each that something has come.
std::set<std::string> HoldParkedKeys(int32 binding, const std::vector<std::string>& keys);

// Takes them away, all or one, so that they are tried again: they are marked. Returns how many there were.
int64 RetryParkedKeys(int32 binding, std::optional<std::string_view> key);

}  // namespace kvs::pg
