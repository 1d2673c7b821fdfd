// What a fuzz target does where a property does not hold.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace kvs {

inline void Require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

inline std::string_view AsText(const uint8_t* data, size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

}  // namespace kvs
