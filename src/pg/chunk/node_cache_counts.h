// What a node cache has been asked, for whoever sizes it.
#pragma once

#include <cstdint>

namespace kvs::pg {

struct NodeCacheCounts {
    uint64_t hits = 0;       // nodes that were found in it
    uint64_t misses = 0;     // and that were read from the tables
    uint64_t evictions = 0;  // nodes that made room for others
};

}  // namespace kvs::pg
