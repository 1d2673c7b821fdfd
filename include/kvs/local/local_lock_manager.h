// LockManager within one process: a mutex per namespace path that is in use.
#pragma once

#include <map>
#include <mutex>

#include "kvs/local/lock_manager.h"

namespace kvs {

// A path's mutex lives only while somebody holds it or waits for it, so memory follows concurrency, not the
// number of namespaces ever seen.
class MutexLockManager final : public LockManager {
  public:
    void WithLock(const std::string& namespace_path, const std::function<void()>& operation) override;

    // How many paths are locked or waited for now.
    size_t ActivePaths();

  private:
    struct PathLock {
        std::mutex mutex;
        size_t users = 0;  // guarded by mutex_ of the manager
    };

    std::mutex mutex_;  // guards paths_
    std::map<std::string, PathLock> paths_;
};

}  // namespace kvs
