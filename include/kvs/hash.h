// A SHA-256 address, and the interface that computes one.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace kvs {

struct Hash {
    static constexpr size_t kSize = 32;

    std::array<uint8_t, kSize> bytes{};

    auto operator<=>(const Hash&) const = default;

    // The 32 bytes; valid as long as this object.
    std::string_view AsBytes() const { return {reinterpret_cast<const char*>(bytes.data()), kSize}; }

    // 64 lower-case hexadecimal digits.
    std::string ToHex() const;

    // `raw` must hold exactly 32 bytes.
    static Hash FromBytes(std::string_view raw) {
        Hash hash;
        std::memcpy(hash.bytes.data(), raw.data(), kSize);
        return hash;
    }

    // nullopt unless `hex` is 64 hexadecimal digits of either case.
    static std::optional<Hash> FromHex(std::string_view hex);
};

// For hash tables: the address is uniformly distributed already.
struct HashOfHash {
    size_t operator()(const Hash& hash) const {
        size_t word;
        std::memcpy(&word, hash.bytes.data(), sizeof(word));
        return word;
    }
};

// SHA-256, by OpenSSL in the local store and by the server's own code in the extension.
class Hasher {
  public:
    virtual ~Hasher() = default;
    virtual Hash Sha256(std::string_view bytes) = 0;
};

}  // namespace kvs
