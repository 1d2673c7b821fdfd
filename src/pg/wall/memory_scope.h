// The current memory context, changed for the life of an object.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

class MemoryScope {
  public:
    explicit MemoryScope(MemoryContext context) : caller_(MemoryContextSwitchTo(context)) {}
    ~MemoryScope() { MemoryContextSwitchTo(caller_); }
    MemoryScope(const MemoryScope&) = delete;
    MemoryScope& operator=(const MemoryScope&) = delete;

  private:
    MemoryContext caller_;
};

}  // namespace kvs::pg
