// Integers of the stored formats: varints (LEB128, seven bits a byte, low bits first), zigzag for signed
// ones, and fixed-width little-endian. Each integer has exactly one encoding: a varint with needless bytes is
// refused.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace kvs {

static_assert(std::endian::native == std::endian::little, "the stored formats are little-endian");

constexpr size_t kMaxVarintSize = 10;

// Bytes that `value` takes as a varint: 1 to 10.
constexpr size_t VarintSize(uint64_t value) {
    return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

// Writes VarintSize(value) bytes and returns the position behind them.
inline char* WriteVarint(char* out, uint64_t value) {
    while (value >= 0x80) {
        *out++ = static_cast<char>(value | 0x80);
        value >>= 7;
    }
    *out++ = static_cast<char>(value);
    return out;
}

inline void AppendVarint(std::string& out, uint64_t value) {
    char buffer[kMaxVarintSize];
    out.append(buffer, static_cast<size_t>(WriteVarint(buffer, value) - buffer));
}

// Small magnitudes of either sign become small unsigned numbers: 0, -1, 1, -2 -> 0, 1, 2, 3.
constexpr uint64_t ZigZagEncode(int64_t value) {
    return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

constexpr int64_t ZigZagDecode(uint64_t value) {
    return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

// Writes the bytes of a fixed-width integer and returns the position behind them.
template <typename T>
char* WriteFixed(char* out, T value) {
    static_assert(std::is_integral_v<T>);
    std::memcpy(out, &value, sizeof(T));
    return out + sizeof(T);
}

template <typename T>
void AppendFixed(std::string& out, T value) {
    char buffer[sizeof(T)];
    WriteFixed(buffer, value);
    out.append(buffer, sizeof(T));
}

// Writes raw bytes and returns the position behind them.
inline char* WriteBytes(char* out, std::string_view bytes) {
    if (!bytes.empty()) {
        std::memcpy(out, bytes.data(), bytes.size());
    }
    return out + bytes.size();
}

// Bytes that a string takes behind its length as a varint.
constexpr size_t PrefixedSize(std::string_view bytes) {
    return VarintSize(bytes.size()) + bytes.size();
}

inline char* WritePrefixed(char* out, std::string_view bytes) {
    return WriteBytes(WriteVarint(out, bytes.size()), bytes);
}

inline void AppendPrefixed(std::string& out, std::string_view bytes) {
    AppendVarint(out, bytes.size());
    out.append(bytes);
}

// Takes encoded fields off the front of untrusted bytes. Each Read answers false, and leaves the position and
// the output undefined, when the bytes end too early or are not canonical. The views that it hands out point
// into the bytes it was given.
class ByteReader {
  public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    size_t remaining() const { return rest_.size(); }
    bool AtEnd() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }

    [[nodiscard]] bool ReadVarint(uint64_t* value);

    template <typename T>
    [[nodiscard]] bool ReadFixed(T* value) {
        static_assert(std::is_integral_v<T>);
        if (rest_.size() < sizeof(T)) {
            return false;
        }
        std::memcpy(value, rest_.data(), sizeof(T));
        rest_.remove_prefix(sizeof(T));
        return true;
    }

    [[nodiscard]] bool ReadBytes(size_t size, std::string_view* bytes) {
        if (rest_.size() < size) {
            return false;
        }
        *bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
    }

    // A string behind its length as a varint.
    [[nodiscard]] bool ReadPrefixed(std::string_view* bytes) {
        uint64_t size;
        return ReadVarint(&size) && ReadBytes(size, bytes);
    }

  private:
    std::string_view rest_;
};

inline bool ByteReader::ReadVarint(uint64_t* value) {
    uint64_t result = 0;
    for (size_t i = 0; i < kMaxVarintSize && i < rest_.size(); i++) {
        auto byte = static_cast<uint8_t>(rest_[i]);
        if (i == kMaxVarintSize - 1 && byte > 1) {
            return false;  // more than 64 bits
        }
        result |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            if (byte == 0 && i > 0) {
                return false;  // a shorter encoding exists
            }
            *value = result;
            rest_.remove_prefix(i + 1);
            return true;
        }
    }
    return false;
}

}  // namespace kvs
