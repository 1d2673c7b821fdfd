#include "pg/stream/recent_values.h"

#include <algorithm>
#include <utility>

namespace kvs::pg {

namespace {

// How many numbers it reaches back, and bytes that the values may have together.
constexpr int64_t kSlots = 1 << 17;
constexpr size_t kMaxBytes = size_t{32} << 20;

}  // namespace

std::optional<std::string> RecentValues::Take(int64_t seq) {
    if (seq == 0 || slots_.empty() || SlotOf(seq).seq != seq) {
        return std::nullopt;
    }
    return Forget(&SlotOf(seq));
}

void RecentValues::Put(int64_t seq, std::string value) {
    if (slots_.empty()) {
        slots_.resize(kSlots);
        oldest_ = seq;
    }
    Slot& slot = SlotOf(seq);
    Forget(&slot);
    bytes_ += value.size();
    slot = {seq, std::move(value)};
    for (oldest_ = std::max(oldest_, seq - kSlots + 1); bytes_ > kMaxBytes && oldest_ <= seq; oldest_++) {
        Forget(&SlotOf(oldest_));
    }
}

std::string RecentValues::Forget(Slot* slot) {
    bytes_ -= slot->value.size();
    slot->seq = 0;
    return std::exchange(slot->value, {});
}

}  // namespace kvs::pg
