#include "pg/chunk/tree_item.h"

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

std::string_view PayloadOf(const DataItem& item, NodeStore* chunks, std::string* holder) {
    if (!item.blob) {
        return item.payload;
    }
    *holder = chunks->ReadBlob(item.blob->address);
    return *holder;
}

void LoadInline(DataItem* item, NodeStore* chunks, std::string* holder) {
    item->payload = PayloadOf(*item, chunks, holder);
    item->blob.reset();
}

}  // namespace kvs::pg
