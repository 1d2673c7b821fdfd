// The smallest depth among the deltas on each base, so that a base that becomes a delta itself gets a smaller
// one.
//
// A table of bytes that addresses are mapped to, without the addresses: where two share a byte, the smaller
// depth counts for both. So an answer may be too small, which makes a chain shorter than it might be, and is
// never too large. Memory is what it is given, whatever the number of bases.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kvs/codec/frame.h"
#include "kvs/hash.h"

namespace kvs::pg {

class DeltaDepths {
  public:
    explicit DeltaDepths(size_t memory) : depths_(std::max<size_t>(memory, 1)) {}

    // A delta of `depth` stands on `base`.
    void Add(const Hash& base, int depth) {
        uint8_t& known = depths_[Slot(base)];
        if (known == 0 || depth < known) {
            known = static_cast<uint8_t>(depth);
        }
    }

    // The largest depth that `base` may have as a delta; 0: it has to stay whole.
    int LargestFor(const Hash& base) const {
        const uint8_t known = depths_[Slot(base)];
        return known == 0 ? kMaxDeltaDepth : known - 1;
    }

  private:
    size_t Slot(const Hash& base) const {
        uint64_t word;
        std::memcpy(&word, base.bytes.data(), sizeof(word));
        return word % depths_.size();
    }

    std::vector<uint8_t> depths_;  // 0: no delta
};

}  // namespace kvs::pg
