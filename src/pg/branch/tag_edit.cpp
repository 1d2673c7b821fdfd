#include "pg/branch/tag_edit.h"

#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "kvs/version/ref.h"
#include "pg/branch/ref_edit.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/commit_table.h"
#include "pg/table/locks.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

std::optional<Hash> FindLatest(std::string_view name) {
    Snapshot latest = RegisterLatestSnapshot();
    const std::optional<Hash> found = FindTag(name, latest);
    ReleaseSnapshot(latest);
    return found;
}

}  // namespace

Hash CreateTag(std::string_view name, std::string_view ref, std::optional<std::string_view> message) {
    ValidateRefName(name).OrThrow();
    BeginRefEdit();
    LockRefName(name);
    RequireFreeName(name);
    Snapshot snapshot = RegisterOperationSnapshot();
    const Hash commit = ResolveCommit(ref, {}, snapshot);
    ReleaseSnapshot(snapshot);
    LockCommitForReference(commit);
    AddTag({std::string(name), commit, std::optional<std::string>(message), AuthorName({}),
            GetCurrentTimestamp()});
    return commit;
}

bool DeleteTag(std::string_view name) {
    BeginRefEdit();
    LockRefName(name);
    return RemoveTag(name);
}

std::optional<Hash> PlaceTag(const Tag& tag, bool force) {
    ValidateRefName(tag.name).OrThrow();
    BeginRefEdit();
    LockRefName(tag.name);
    LockCommitForReference(tag.commit);
    const std::optional<Hash> before = FindLatest(tag.name);
    if (before == tag.commit) {
        return before;
    }
    if (!before) {
        RequireFreeName(tag.name);
    } else if (force) {
        RemoveTag(tag.name);
    } else {
        throw Error(ErrorCode::kWrongState,
                    "tag " + Quoted(tag.name) + " exists at commit " + before->ToHex(),
                    "A tag does not move, unless by force => true.");
    }
    AddTag(tag);
    return before;
}

}  // namespace kvs::pg
