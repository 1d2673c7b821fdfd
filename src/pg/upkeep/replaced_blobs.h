// Which blobs can be packed because their leaves are.
//
// A value too large for its leaf is a blob, which the leaf names. When a write replaces such a value with
// another, the old leaf is replaced and the old blob with it: both are as cold, unless a branch or tag still
// has the value elsewhere.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kvs/hash.h"
#include "pg/chunk/chunk_store.h"
#include "pg/chunk/stored_chunks.h"
#include "pg/upkeep/chunk_families.h"

namespace kvs::pg {

class ReplacedBlobs {
  public:
    // Both must live as long; `hot_data_roots` are those of branches and tags.
    ReplacedBlobs(StoredChunks* stored, Snapshot snapshot, const std::vector<Hash>* hot_data_roots)
        : stored_(stored), chunks_(snapshot), hot_data_roots_(hot_data_roots) {}

    // Takes the blobs of a chunk, if it is a leaf, that were replaced with it.
    void Collect(const std::string& old_raw, const Hash& new_address);

    // What was collected since the last call.
    Families Take() { return std::exchange(families_, {}); }

  private:
    bool IsHot(const std::string& key, const Hash& blob);

    StoredChunks* stored_;
    ChunkStore chunks_;
    const std::vector<Hash>* hot_data_roots_;
    Families families_;
};

}  // namespace kvs::pg
