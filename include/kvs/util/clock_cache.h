// A cache of references by address, bounded in bytes, under CLOCK: the hand passes over an entry that was
// used since its last visit.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvs/hash.h"

namespace kvs {

// Ref is a smart pointer; null stands for nothing.
template <typename Ref>
class ClockCache {
  public:
    // Null if it is not there.
    Ref Find(const Hash& address) {
        const auto it = slots_of_.find(address);
        if (it == slots_of_.end()) {
            return nullptr;
        }
        Slot& slot = slots_[it->second];
        slot.used = true;
        return slot.value;
    }

    // Adds what takes `size` bytes, unless it is there, and makes room for it before: no more than `capacity`
    // bytes stay, but for one that is larger than that alone. Returns how many others had to go.
    size_t Add(const Hash& address, Ref value, size_t size, size_t capacity) {
        size_t evicted = 0;
        while (bytes_ + size > capacity && !slots_of_.empty()) {
            EvictOne();
            evicted++;
        }
        size_t at;
        if (!free_.empty()) {
            at = free_.back();
        } else {
            at = slots_.size();
            slots_.emplace_back();
            free_.reserve(slots_.capacity());
        }
        if (!slots_of_.emplace(address, at).second) {
            if (at == slots_.size() - 1 && free_.empty()) {
                slots_.pop_back();
            }
            return evicted;
        }
        if (!free_.empty()) {
            free_.pop_back();
        }
        slots_[at] = {address, std::move(value), size, false};
        bytes_ += size;
        return evicted;
    }

    size_t bytes() const { return bytes_; }

  private:
    struct Slot {
        Hash address;
        Ref value;
        size_t size = 0;
        bool used = false;
    };

    void EvictOne() {
        for (;;) {
            hand_ = hand_ + 1 < slots_.size() ? hand_ + 1 : 0;
            Slot& slot = slots_[hand_];
            if (slot.value == nullptr) {
                continue;
            }
            if (slot.used) {
                slot.used = false;
                continue;
            }
            bytes_ -= slot.size;
            slots_of_.erase(slot.address);
            slot.value.reset();
            free_.push_back(hand_);
            return;
        }
    }

    std::unordered_map<Hash, size_t, HashOfHash> slots_of_;
    std::vector<Slot> slots_;
    std::vector<size_t> free_;
    size_t hand_ = 0;
    size_t bytes_ = 0;
};

}  // namespace kvs
