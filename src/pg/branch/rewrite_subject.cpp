#include "pg/branch/rewrite_subject.h"

#include "pg/chunk/chunk_store.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

RewriteSubject FindRewriteSubject(std::string_view ref, std::string_view branch) {
    LockChunksForBuild();
    Snapshot snapshot = GetActiveSnapshot();
    RewriteSubject subject;
    subject.branch = FindBranch(branch, snapshot);
    subject.commit = ResolveCommit(ref, subject.branch.name, snapshot);
    LockCommitForReference(subject.commit);
    return subject;
}

std::string NameCommit(const Hash& commit) {
    constexpr size_t kDigits = 12;
    return "commit " + commit.ToHex().substr(0, kDigits);
}

}  // namespace kvs::pg
