#include "kvs/hash.h"

#include "kvs/util/hex.h"

namespace kvs {

std::string Hash::ToHex() const {
    std::string hex;
    hex.reserve(2 * kSize);
    AppendHex(hex, AsBytes());
    return hex;
}

std::optional<Hash> Hash::FromHex(std::string_view hex) {
    Hash hash;
    if (hex.size() != 2 * kSize || !ReadHex(hex, hash.bytes.data())) {
        return std::nullopt;
    }
    return hash;
}

}  // namespace kvs
