// Fetch, push, pull and clone: what moves between this store and another one, and which refs move with it
// (docs/decisions/0015-remote-transfer.md).
//
// Everything that is brought here becomes visible with the caller's transaction. What is sent is committed on
// the other side batch by batch, the ref at the end, so that a push that was interrupted goes on where it
// was.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::remote {

// What was done about one ref: a row of kvs.ref_transfer.
struct RefTransfer {
    std::string ref;
    std::optional<Hash> old_commit;
    std::optional<Hash> new_commit;  // unset: the transfer is to be continued, or the ref was forgotten
    int64 chunks = 0;
    int64 bytes = 0;
};

// Brings one branch of the remote, or all of them, and the tags that point into what is here then; with
// `prune` forgets those of the remote's that are no longer there. Stops when about `max_bytes` of chunks have
// come. Notices tell of tags that stand elsewhere there. Errors: kUnknownRef, kCorruption, those of a
// connection.
std::vector<RefTransfer> Fetch(std::string_view remote, std::optional<std::string_view> branch,
                               int64 max_bytes, bool prune);

// Sends the head of a branch and moves the remote's branch of that name there; or a tag. Errors: as above;
// 55000 where the remote's branch would lose commits or uncommitted work, or its tag move, unless `force`.
RefTransfer Push(std::string_view remote, std::string_view name, bool force);

// Fetches the branch and moves the local branch of that name forward. Errors: as above; kWrongState if that
// is no step forward, or the branch has uncommitted work.
RefTransfer Pull(std::string_view remote, std::string_view branch);

// Brings all branches and tags into a store that has no other branch than main, no commit, entry or tag.
// Errors: as above; kWrongState.
std::vector<RefTransfer> Clone(std::string_view remote);

}  // namespace kvs::remote
