// SHA-256 by OpenSSL, which uses the CPU's own instructions. The extension has
// the server's hasher instead (pg/wall/server_hasher.h).
#pragma once

#include <string_view>

#include "kvs/hash.h"

namespace kvs {

// Stateless for its callers, so one object may serve many threads: the OpenSSL context is kept per thread.
// Errors: throws std::bad_alloc or std::runtime_error when OpenSSL cannot give a context.
class OpenSslHasher final : public Hasher {
  public:
    Hash Sha256(std::string_view bytes) override;
};

}  // namespace kvs
