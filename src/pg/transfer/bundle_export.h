// What kvs.export_bundle() writes: the commits that a ref reaches, without those that another one does, and
// their chunks, in parts of bounded size. Chunks of a window of commits, then these commits, and so on; the
// head last.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/version/bundle.h"
#include "kvs/version/object_walk.h"
#include "pg/chunk/chunk_store.h"
#include "pg/read/commit_range.h"
#include "pg/wall/server.h"
#include "pg/wall/server_hasher.h"

namespace kvs::pg {

class BundleExport {
  public:
    // Errors: those of ResolveCommit.
    BundleExport(std::string_view ref, std::optional<std::string_view> since, Snapshot snapshot);

    // nullopt after the last. The snapshot shows at least what that of the constructor did.
    std::optional<std::string> NextPart(Snapshot snapshot);

  private:
    void Advance();
    void OpenWindow();

    ServerHasher hasher_;
    BundleWriter writer_;
    ChunkStore chunks_;
    Snapshot snapshot_;
    MemoryContext scratch_;  // of one step
    Hash head_;
    std::string name_;
    CommitRange range_;
    size_t next_commit_ = 0;
    std::vector<NamedCommit> window_;
    std::optional<ObjectWalk> walk_;  // of the window
    bool is_finished_ = false;
};

}  // namespace kvs::pg
