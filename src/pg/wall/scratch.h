// A memory context for what the steps of a loop allocate, current while it lives.
#pragma once

#include "pg/wall/guard.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// An error that is raised meanwhile lies in it, so the destructor only gives the caller's context back; the
// abort frees it then.
class Scratch {
  public:
    // `name` must be a constant. Errors: PgError.
    explicit Scratch(const char* name) : caller_(CurrentMemoryContext) {
        context_ =
            Guarded([&] { return AllocSetContextCreateInternal(caller_, name, ALLOCSET_DEFAULT_SIZES); });
        MemoryContextSwitchTo(context_);
    }
    ~Scratch() { MemoryContextSwitchTo(caller_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    // Forgets what was allocated, and lets a cancel request in.
    void Reset() {
        Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            MemoryContextReset(context_);
        });
    }

    // To be called on the normal way out.
    void Finish() {
        MemoryContextSwitchTo(caller_);
        Guarded([&] { MemoryContextDelete(context_); });
    }

  private:
    MemoryContext caller_;
    MemoryContext context_;
};

}  // namespace kvs::pg
