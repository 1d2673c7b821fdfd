// Decides after which item a node ends: a Weibull distribution of node sizes (shape 4, scale 4096 bytes, at
// least 512, at most 16384), drawn from the hash of the item's key, in integers only (docs/node-format.md).
//
// The decision depends on the items since the last boundary and on nothing else; that makes the tree's shape
// a function of its contents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvs {

constexpr uint64_t kSplitMin = 512;     // bytes; no boundary at or below this size
constexpr uint64_t kSplitScale = 4096;  // bytes; scale of the distribution
constexpr uint64_t kSplitMax = 16384;   // bytes; a boundary at or above this size

// Sizes as the splitter counts them: independent of prefix compression.
constexpr size_t LeafItemSize(size_t key_size, size_t value_size) {
    return key_size + value_size + 4;
}
constexpr size_t InternalItemSize(size_t key_size) {
    return key_size + 32 + 8;
}

// -ln((draw + 1/2) / 2^64) with 48 fractional bits, rounded as docs/node-format.md says: the same on every
// machine.
uint64_t NegativeLog(uint64_t draw);

// The draw of a key at a level.
uint64_t SplitDraw(std::string_view key, int level);

class Splitter {
  public:
    explicit Splitter(int level) : level_(level), min_items_(level == 0 ? 1 : 2) {}

    // Counts an item of `size` bytes to the current node. True: the node ends after it, and the state is that
    // of a new node.
    bool Add(std::string_view key, size_t size);

    // Counts items, of `size` bytes together, of which none is known to end its node.
    void AddInside(size_t size, size_t items = 1) {
        size_ += size;
        items_ += items;
    }

    void Reset() {
        size_ = 0;
        items_ = 0;
    }

  private:
    int level_;
    size_t min_items_;
    uint64_t size_ = 0;
    size_t items_ = 0;
};

}  // namespace kvs
