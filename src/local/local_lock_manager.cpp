#include "kvs/local/local_lock_manager.h"

namespace kvs {

void MutexLockManager::WithLock(const std::string& namespace_path, const std::function<void()>& operation) {
    // Elements of a map stay where they are, so the iterator outlives everything that happens to other paths.
    std::map<std::string, PathLock>::iterator path;
    {
        const std::lock_guard lock(mutex_);
        path = paths_.try_emplace(namespace_path).first;
        ++path->second.users;
    }
    struct Release {
        MutexLockManager& manager;
        std::map<std::string, PathLock>::iterator path;

        ~Release() {
            const std::lock_guard lock(manager.mutex_);
            if (--path->second.users == 0) {
                manager.paths_.erase(path);
            }
        }
    };
    const Release release{*this, path};  // declared before the lock: the mutex is free when it goes
    const std::lock_guard lock(path->second.mutex);
    operation();
}

size_t MutexLockManager::ActivePaths() {
    const std::lock_guard lock(mutex_);
    return paths_.size();
}

}  // namespace kvs
