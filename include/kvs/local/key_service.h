// Keys as the store's services see them.
#pragma once

#include <string>
#include <string_view>

#include "kvs/codec/key.h"

namespace kvs {

// A key and the namespace it lives in.
using StoreKey = ParsedKey;

// Stateless, safe to call from any thread. All errors are Error(kInvalidArgument).
class KeyService {
  public:
    virtual ~KeyService() = default;

    // The one string that stands for the key, such as users/active:123.
    virtual std::string Serialize(const StoreKey& key) const = 0;

    virtual StoreKey Parse(std::string_view serialized_key) const = 0;

    // The part of the serialised key that names its namespace, such as users/active; empty without namespace.
    virtual std::string NamespacePath(std::string_view serialized_key) const = 0;
};

}  // namespace kvs
