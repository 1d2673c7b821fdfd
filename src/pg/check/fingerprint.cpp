// XXH3 compiled in, as in the core.
#define XXH_INLINE_ALL

#include "pg/check/fingerprint.h"

#include <xxhash.h>

#include "kvs/codec/item.h"
#include "kvs/tree/chunk.h"
#include "pg/wall/server_hasher.h"

namespace kvs::pg {

namespace {

uint64_t Fingerprint(std::string_view bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace

uint64_t KeyFingerprint(std::string_view key) {
    return Fingerprint(key);
}

uint64_t MetadataFingerprint(std::string_view meta) {
    return Fingerprint(meta);
}

uint64_t TreeItemFingerprint(const std::optional<std::string_view>& item) {
    return item ? Fingerprint(*item) : 0;
}

uint64_t LoggedItemFingerprint(const std::optional<std::string_view>& item) {
    const Result<DataItem> decoded = DecodeDataItem(item.value_or(std::string_view()));
    if (!item || !decoded.ok() || !NeedsBlob(decoded.value())) {
        return TreeItemFingerprint(item);
    }
    DataItem in_tree = decoded.value();
    ServerHasher hasher;
    in_tree.blob = BlobRef{ChunkAddress(hasher, EncodeBlob(in_tree.payload)),
                           static_cast<uint32_t>(in_tree.payload.size())};
    in_tree.payload = {};
    return Fingerprint(EncodeDataItem(in_tree));
}

}  // namespace kvs::pg
