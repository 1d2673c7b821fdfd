// The time, as the store's services see it.
#pragma once

#include "kvs/entry.h"

namespace kvs {

// Safe to call from any thread.
class Clock {
  public:
    virtual ~Clock() = default;

    // Never goes back by more than the system's clock does; nothing in the store relies on its order.
    virtual Timestamp Now() = 0;
};

}  // namespace kvs
