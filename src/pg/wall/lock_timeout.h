// A bound on how long locks are waited for, for the life of an object: the smaller one of the session's
// lock_timeout and that of a setting.
#pragma once

#include "pg/wall/server.h"

extern "C" {
#include "storage/proc.h"
}

namespace kvs::pg {

class LockTimeoutScope {
  public:
    // `limit` in ms; 0 leaves the session's.
    explicit LockTimeoutScope(int limit) : session_(LockTimeout) {
        if (limit > 0 && (session_ == 0 || limit < session_)) {
            LockTimeout = limit;
        }
    }
    ~LockTimeoutScope() { LockTimeout = session_; }
    LockTimeoutScope(const LockTimeoutScope&) = delete;
    LockTimeoutScope& operator=(const LockTimeoutScope&) = delete;

  private:
    int session_;
};

}  // namespace kvs::pg
