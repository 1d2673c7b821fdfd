#include "pg/chunk/tree_item.h"

#include "kvs/codec/item.h"

namespace kvs::pg {

std::string ToTreeItem(std::string_view item, NodeStore* chunks) {
    DataItem decoded = DecodeDataItem(item).OrThrow();
    if (!NeedsBlob(decoded)) {
        return std::string(item);
    }
    decoded.blob = BlobRef{chunks->WriteBlob(decoded.payload), static_cast<uint32_t>(decoded.payload.size())};
    decoded.payload = {};
    return EncodeDataItem(decoded);
}

}  // namespace kvs::pg
