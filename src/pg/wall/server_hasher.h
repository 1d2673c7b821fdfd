// SHA-256 by the server's own implementation (OpenSSL where the server was built with it), in one context per
// backend.
#pragma once

#include "kvs/hash.h"

namespace kvs::pg {

class ServerHasher : public Hasher {
  public:
    Hash Sha256(std::string_view bytes) override;
};

}  // namespace kvs::pg
