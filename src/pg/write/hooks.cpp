#include "pg/write/hooks.h"

#include <string>
#include <vector>

#include "kvs/pattern/pattern.h"
#include "kvs/version/commit.h"
#include "pg/table/commit_table.h"
#include "pg/table/hook_table.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/write/change_set.h"
#include "pg/write/hook_call.h"

namespace kvs::pg {

namespace {

void WarnOfFailure(const Hook& hook, const ErrorData* error) {
    const char* name = hook.name.c_str();
    Guarded([&] {
        ereport(WARNING, errcode(error->sqlerrcode),
                errmsg("post_commit hook \"%s\" failed: %s", name, error->message),
                error->detail != nullptr ? errdetail_internal("%s", error->detail) : 0,
                error->hint != nullptr ? errhint("%s", error->hint) : 0,
                error->context != nullptr ? errcontext("%s", error->context) : 0);
    });
}

void RunPreCommitHook(const Hook& hook, const HookedCommit& hooked, const Pattern& pattern,
                      const char* branch) {
    CallHook(hook, ChangeSet(hooked, pattern), branch);
}

void RunPostCommitHook(const Hook& hook, const HookedCommit& hooked, const Pattern& pattern,
                       const char* branch) {
    const Datum description = CommitDescription(hooked, pattern);
    const ErrorData* error = InSubtransaction([&] { CallHook(hook, description, branch); });
    if (error == nullptr) {
        return;
    }
    if (error->sqlerrcode == ERRCODE_QUERY_CANCELED) {
        throw PgError(const_cast<ErrorData*>(error));
    }
    WarnOfFailure(hook, error);
}

}  // namespace

void RunCommitHooks(std::string_view branch_name, const Hash& commit_hash) {
    const std::vector<Hook> hooks = ReadHooks();
    if (hooks.empty()) {
        return;
    }
    const std::string branch(branch_name);
    MemoryContext context = Guarded([] {
        return AllocSetContextCreate(CurrentMemoryContext, "kvs commit hook", ALLOCSET_DEFAULT_SIZES);
    });
    for (const HookEvent event : {HookEvent::kPreCommit, HookEvent::kPostCommit}) {
        for (const Hook& hook : hooks) {
            if (hook.event != event) {
                continue;
            }
            // What the hook reads and what is read for it: all that this transaction did up to here.
            Guarded([] {
                CHECK_FOR_INTERRUPTS();
                CommandCounterIncrement();
                PushActiveSnapshot(GetTransactionSnapshot());
            });
            {
                MemoryScope scope(context);
                const Commit commit = ReadCommit(commit_hash, GetActiveSnapshot());
                const HookedCommit hooked{branch, commit_hash, &commit};
                const Pattern pattern = Pattern::Parse(hook.pattern).OrThrow();
                if (ChangesMatching(hooked, pattern)) {
                    const auto run = event == HookEvent::kPreCommit ? RunPreCommitHook : RunPostCommitHook;
                    run(hook, hooked, pattern, branch.c_str());
                }
            }
            Guarded([&] {
                PopActiveSnapshot();
                MemoryContextReset(context);
            });
        }
    }
    Guarded([&] { MemoryContextDelete(context); });
}

}  // namespace kvs::pg
