// Between the data items of working rows, which carry payloads of any size, and those of trees, which refer
// to large ones as blobs.
#pragma once

#include <string>
#include <string_view>

#include "kvs/node_store.h"

namespace kvs::pg {

// The item as a tree holds it; writes the blob if it needs one.
std::string ToTreeItem(std::string_view item, NodeStore* chunks);

}  // namespace kvs::pg
