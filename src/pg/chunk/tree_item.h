// Between the data items of working rows, which carry payloads of any size, and those of trees, which refer
// to large ones as blobs.
#pragma once

#include <string>
#include <string_view>

#include "kvs/codec/item.h"
#include "kvs/node_store.h"

namespace kvs::pg {

// The item as a tree holds it; writes the blob if it needs one.
std::string ToTreeItem(std::string_view item, NodeStore* chunks);

// The payload of an item, wherever it lies. `holder` keeps the bytes of a blob.
std::string_view PayloadOf(const DataItem& item, NodeStore* chunks, std::string* holder);

// Makes an item of a tree one that carries its payload itself, as a working row's does. `holder` as above.
void LoadInline(DataItem* item, NodeStore* chunks, std::string* holder);

}  // namespace kvs::pg
