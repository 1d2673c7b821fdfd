// Namespace locks: lock.
//
// They are cooperative: a lock excludes other calls of kvs.lock on overlapping patterns of the branch, not
// writers that never ask. They lie in the server's lock manager, so it queues, times out, finds deadlocks and
// releases them at the end of the transaction or with the savepoint.
//
// A namespace is the path of a pattern's leading literal levels. It is locked exclusively, and every
// namespace above it, from the root down, in a mode that only an exclusive lock excludes. Of two patterns
// that can match one key, one's path is the beginning of the other's, so the two meet at the shorter path;
// and since each transaction comes from the root, a single call never waits for what it would itself block.
#include <optional>
#include <string>

#include "kvs/pattern/pattern.h"
#include "pg/table/access_guard.h"
#include "pg/table/branch_table.h"
#include "pg/table/locks.h"
#include "pg/wall/arguments.h"
#include "pg/wall/entry_point.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

void LockPattern(std::string_view pattern_text, std::string_view branch_name) {
    const Pattern pattern = Pattern::Parse(pattern_text).OrThrow();
    const int32 branch = FindBranch(branch_name, Guarded([] { return GetActiveSnapshot(); })).id;
    std::string path;
    for (const Pattern::Level& level : pattern.levels()) {
        if (level.kind != Pattern::LevelKind::kLiteral) {
            break;
        }
        LockNamespace(branch, path, false);
        path += '/';
        path += level.text;
    }
    LockNamespace(branch, path, true);
}

}  // namespace

// (pattern, branch)
KVS_FUNCTION(kvs_lock)
{
    RequireWrite(ACL_UPDATE, "kvs.lock()");
    const std::string_view pattern = RequiredBytes(fcinfo, 0, "pattern");
    LockPattern(pattern, BytesOrEmpty(fcinfo, 1));
    PG_RETURN_BOOL(true);
}

}  // namespace kvs::sqlapi
