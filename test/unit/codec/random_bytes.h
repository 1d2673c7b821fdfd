// Bytes that do not compress, for the tests of frames and packs.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace kvs {

inline std::string RandomBytes(size_t size, uint32_t seed) {
    std::mt19937 random(seed);
    std::string bytes(size, '\0');
    for (char& byte : bytes) {
        byte = static_cast<char>(random());
    }
    return bytes;
}

}  // namespace kvs
