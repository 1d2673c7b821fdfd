// Partial update of a document.
#pragma once

#include <string_view>

#include "kvs/entry.h"

namespace kvs {

// Stateless, safe to call from any thread.
class PatchService {
  public:
    virtual ~PatchService() = default;

    // The value after RFC 7396's merge of `delta` (a document in the form of the store's payloads): objects
    // merge recursively, null removes a member, anything else replaces. The expiry is not its business.
    // `current` nullptr counts as {}. Throws Error(kWrongType) when the current value is bytes,
    // Error(kInvalidArgument) when `delta` is no document.
    virtual Value Apply(const Value* current, std::string_view delta) const = 0;
};

}  // namespace kvs
