// Mutual exclusion by namespace.
#pragma once

#include <functional>
#include <string>

namespace kvs {

// Safe to call from any thread.
class LockManager {
  public:
    virtual ~LockManager() = default;

    // Runs `operation` while no other operation on the same namespace path runs; different paths (also a
    // parent and its child) do not exclude each other. Exceptions of `operation` pass through and release the
    // lock. Not reentrant: `operation` must not take the same lock again.
    virtual void WithLock(const std::string& namespace_path, const std::function<void()>& operation) = 0;
};

}  // namespace kvs
