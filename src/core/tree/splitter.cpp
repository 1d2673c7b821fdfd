// XXH3 compiled in: the draw of a short key is then a dozen instructions, and needs no library at run time.
#define XXH_INLINE_ALL
#include "kvs/tree/splitter.h"

#include <xxhash.h>

#include <algorithm>

namespace kvs {

namespace {

using Wide = unsigned __int128;

constexpr uint64_t kSaltOfLevel0 = 0x6b76732d74726565;  // "kvs-tree"
constexpr uint64_t kSaltStep = 0x9e3779b97f4a7c15;      // 2^64 / golden ratio, odd
constexpr uint64_t kLn2 = 0xb17217f7d1cf79ab;           // ln 2 with 64 fractional bits, rounded down
constexpr int kFraction = 48;                           // fractional bits of NegativeLog
constexpr uint64_t kLogError = 2;                       // NegativeLog is never smaller than the truth by this

constexpr uint64_t FourthPower(uint64_t size) {
    return size * size * size * size;
}

// (x / kSplitScale)^4 with 48 fractional bits is x^4 itself.
static_assert(FourthPower(kSplitScale) == uint64_t{1} << kFraction);

}  // namespace

uint64_t NegativeLog(uint64_t draw) {
    // With m = 2 * draw + 1, a number of 65 bits: -ln(m / 2^65) = (65 - log2 m) * ln 2.
    // The integer part of log2 m, and m scaled to [1, 2) with 63 fractional bits.
    int whole = 64;
    uint64_t mantissa = draw;
    if (draw < uint64_t{1} << 63) {
        const uint64_t m = 2 * draw + 1;
        const int shift = __builtin_clzll(m);
        whole = 63 - shift;
        mantissa = m << shift;
    }
    // The fractional part, bit by bit: squaring the mantissa doubles its logarithm.
    uint64_t log2 = static_cast<uint64_t>(whole);
    for (int bit = 0; bit < kFraction; ++bit) {
        const Wide square = static_cast<Wide>(mantissa) * mantissa;  // 126 fractional bits, in [1, 4)
        const uint64_t carry = static_cast<uint64_t>(square >> 127);
        mantissa = static_cast<uint64_t>(square >> (63 + carry));
        log2 = log2 << 1 | carry;
    }
    const uint64_t distance = (uint64_t{65} << kFraction) - log2;
    return static_cast<uint64_t>(static_cast<Wide>(distance) * kLn2 >> 64);
}

uint64_t SplitDraw(std::string_view key, int level) {
    return XXH3_64bits_withSeed(key.data(), key.size(),
                                kSaltOfLevel0 + static_cast<uint64_t>(level) * kSaltStep);
}

bool Splitter::Add(std::string_view key, size_t size) {
    const uint64_t start = size_;
    AddInside(size);
    const uint64_t end = size_;
    if (end <= kSplitMin || items_ < min_items_) {
        return false;
    }
    if (end < kSplitMax) {
        // What the hazard grew by over this item; no overflow below 2^16.
        const uint64_t hazard = FourthPower(end) - FourthPower(std::max(start, kSplitMin));
        const uint64_t draw = SplitDraw(key, level_);
        // -ln u >= 1 - u decides most items without a logarithm.
        const uint64_t lower_bound = ~draw >> (64 - kFraction);
        if (lower_bound >= hazard + kLogError || NegativeLog(draw) >= hazard) {
            return false;
        }
    }
    Reset();
    return true;
}

}  // namespace kvs
