// The fingerprint of a value.
#pragma once

#include "kvs/entry.h"
#include "kvs/hash.h"

namespace kvs {

// Stateless, safe to call from any thread.
class HashingService {
  public:
    virtual ~HashingService() = default;

    // SHA-256 over the canonical form of a document, or over the bytes of a value of bytes: equal content,
    // equal hash, however it was written down. The expiry is no part of it. Throws Error(kInvalidArgument)
    // when the payload is no document.
    virtual Hash CalculateDataHash(const Value& value) const = 0;
};

}  // namespace kvs
