// The inner wall: every call from C++ into the server that can raise an error goes through Guarded, which
// turns the server's longjmp into a C++ exception that carries the whole ErrorData.
//
// Inside the body there must be no object with a destructor while the server may raise: the jump skips it. A
// PgError may be let through or replaced by another error; it must never be swallowed, because locks, pins
// and snapshots taken before it are released by the abort of the (sub)transaction alone.
#pragma once

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "pg/wall/server.h"

namespace kvs::pg {

class PgError : public std::exception {
  public:
    explicit PgError(ErrorData* data) : data_(data) {}
    const char* what() const noexcept override { return data_->message ? data_->message : "server error"; }

    // Allocated in the memory context that was current when the guard was entered.
    ErrorData* data() const { return data_; }

  private:
    ErrorData* data_;
};

namespace internal {

// What a guard restores, saved before its sigsetjmp so that no local is clobbered by the jump.
struct SavedErrorState {
    sigjmp_buf* exception_stack = PG_exception_stack;
    ErrorContextCallback* context_stack = error_context_stack;
    MemoryContext memory_context = CurrentMemoryContext;

    void Restore() const {
        PG_exception_stack = exception_stack;
        error_context_stack = context_stack;
    }

    // Takes the server's error off its stack and throws it. Must be called after the jump.
    [[noreturn]] void Rethrow() const {
        sigjmp_buf jump;
        if (sigsetjmp(jump, 0) != 0) {
            // There was no memory for the copy. That error may not jump over the C++ frames either.
            Restore();
            MemoryContextSwitchTo(memory_context);
            FlushErrorState();
            throw std::bad_alloc();
        }
        PG_exception_stack = &jump;
        MemoryContextSwitchTo(memory_context);
        ErrorData* data = CopyErrorData();
        Restore();
        FlushErrorState();
        throw PgError(data);
    }
};

}  // namespace internal

template <typename Body>
auto Guarded(Body&& body) -> decltype(body()) {
    using Value = decltype(body());
    static_assert(std::is_void_v<Value> || std::is_trivially_destructible_v<Value>);
    const internal::SavedErrorState saved;
    sigjmp_buf jump;
    if (sigsetjmp(jump, 0) != 0) {
        saved.Rethrow();
    }
    PG_exception_stack = &jump;
    try {
        if constexpr (std::is_void_v<Value>) {
            body();
            saved.Restore();
        } else {
            Value value = body();
            saved.Restore();
            return value;
        }
    } catch (...) {
        saved.Restore();
        throw;
    }
}

// Guarded, but a server error with this SQLSTATE is replaced by what `translate` throws.
template <typename Body, typename Translate>
auto GuardedTranslating(int sqlstate, Body&& body, Translate&& translate) -> decltype(body()) {
    try {
        return Guarded(body);
    } catch (const PgError& error) {
        if (error.data()->sqlerrcode == sqlstate) {
            translate();
        }
        throw;
    }
}

// Runs `body`, server code, and calls `failed` when it raises an error, which then goes on: for those who
// only look. In `failed` the error is the server's current one (CopyErrorData).
template <typename Body, typename Failed>
auto Watched(Body&& body, Failed&& failed) -> decltype(body()) {
    static_assert(std::is_trivially_destructible_v<decltype(body())>);
    const internal::SavedErrorState saved;
    sigjmp_buf jump;
    if (sigsetjmp(jump, 0) != 0) {
        saved.Restore();
        MemoryContextSwitchTo(saved.memory_context);
        failed();
        PG_RE_THROW();
    }
    PG_exception_stack = &jump;
    auto value = body();
    saved.Restore();
    return value;
}

// Runs `body`, C++ code whose calls into the server are guarded, in a subtransaction. A server error rolls it
// back and is the answer, in the memory context current; nullptr: there was none. So this is the one place
// where a server error may end.
template <typename Body>
ErrorData* InSubtransaction(Body&& body) {
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    ErrorData* error = nullptr;
    Guarded([&] {
        BeginInternalSubTransaction(nullptr);
        MemoryContextSwitchTo(context);
    });
    try {
        body();
    } catch (const PgError& caught) {
        error = caught.data();
    }
    Guarded([&] {
        if (error == nullptr) {
            ReleaseCurrentSubTransaction();
        } else {
            RollbackAndReleaseCurrentSubTransaction();
        }
        MemoryContextSwitchTo(context);
        CurrentResourceOwner = owner;
    });
    return error;
}

// Runs `body` in a subtransaction of its own, which is rolled back if it answers false. Returns its answer.
// What it throws ends the subtransaction together with the one around it.
template <typename Body>
bool KeepSubtransaction(Body&& body) {
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    Guarded([&] {
        BeginInternalSubTransaction(nullptr);
        MemoryContextSwitchTo(context);
    });
    const bool keep = body();
    Guarded([&] {
        if (keep) {
            ReleaseCurrentSubTransaction();
        } else {
            RollbackAndReleaseCurrentSubTransaction();
        }
        MemoryContextSwitchTo(context);
        CurrentResourceOwner = owner;
    });
    return keep;
}

}  // namespace kvs::pg
