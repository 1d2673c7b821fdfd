// The distributed trace that a change belongs to, as the W3C's Trace Context (level 1, section 3.2) writes it
// in a traceparent:
//
//     version "-" trace-id "-" parent-id "-" trace-flags
//     00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//
// Stored it is the bytes that the last three stand for, one behind the other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvs {

struct TraceContext {
    static constexpr size_t kSize = 16 + 8 + 1;

    std::array<uint8_t, 16> trace_id{};
    std::array<uint8_t, 8> parent_id{};
    uint8_t flags = 0;  // 0x01: sampled

    bool operator==(const TraceContext&) const = default;

    // A traceparent of version 00, the highest one that is known here.
    std::string ToTraceparent() const;

    // The stored form: writes kSize bytes and returns the position behind them; `stored` must hold exactly so
    // many.
    char* Write(char* out) const;
    static TraceContext FromBytes(std::string_view stored);
};

// Reads a traceparent. nullptr, or what is wrong with it, as a sentence. Of a version above 00 it takes what
// version 00 has, as the recommendation demands: more fields may follow, and of the flags only the sampled
// one is known.
const char* ParseTraceparent(std::string_view text, TraceContext* trace);

}  // namespace kvs
