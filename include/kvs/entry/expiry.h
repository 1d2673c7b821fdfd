// The end of an entry's life.
#pragma once

#include <optional>

#include "kvs/entry.h"

namespace kvs {

// True once the moment has come: an entry lives up to, not including, `expires_at`.
inline bool IsExpired(const std::optional<Timestamp>& expires_at, Timestamp now) {
    return expires_at.has_value() && *expires_at <= now;
}

}  // namespace kvs
