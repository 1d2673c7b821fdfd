// Values that events of late have left in their keys, as notifications tell them. The key's next event has
// this as its old value, and the look for it in the log, where it may lie anywhere, is the dearest part of
// telling an event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kvs::pg {

class RecentValues {
  public:
    // What the change with this number left, empty if it deleted the key; nullopt: it is not known. It is
    // forgotten, since a value is replaced once.
    std::optional<std::string> Take(int64_t seq);

    void Put(int64_t seq, std::string value);

  private:
    // Numbers ascend, so a change has the place of the one that came so many numbers before it.
    struct Slot {
        int64_t seq = 0;
        std::string value;
    };

    Slot& SlotOf(int64_t seq) { return slots_[static_cast<size_t>(seq) % slots_.size()]; }
    std::string Forget(Slot* slot);

    std::vector<Slot> slots_;  // empty as long as there was nothing to remember
    int64_t oldest_ = 0;       // below it nothing is known
    size_t bytes_ = 0;         // of the values
};

}  // namespace kvs::pg
