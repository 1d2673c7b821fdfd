// A C++ object that dies with a memory context of the server, also in an abort.
#pragma once

#include <utility>

#include "pg/wall/guard.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Its destructor runs when the context is reset or deleted, and may only free C++ memory.
template <typename T>
class ContextObject {
  public:
    // Makes an object in `context`. Errors: PgError, and what T's constructor throws.
    template <typename... Arguments>
    static ContextObject* Make(MemoryContext context, Arguments&&... arguments) {
        auto* holder = Guarded([&] {
            auto* made = static_cast<ContextObject*>(MemoryContextAllocZero(context, sizeof(ContextObject)));
            made->callback_.func = Destroy;
            made->callback_.arg = made;
            MemoryContextRegisterResetCallback(context, &made->callback_);
            return made;
        });
        holder->object_ = new T(std::forward<Arguments>(arguments)...);
        return holder;
    }

    // Null once it was freed.
    T* get() const { return object_; }

    // Frees the object early.
    void Free() {
        delete object_;
        object_ = nullptr;
    }

  private:
    static void Destroy(void* holder) { static_cast<ContextObject*>(holder)->Free(); }

    MemoryContextCallback callback_;
    T* object_;
};

}  // namespace kvs::pg
