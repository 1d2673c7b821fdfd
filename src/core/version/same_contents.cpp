#include "kvs/version/same_contents.h"

#include <cstdint>
#include <optional>

#include "kvs/codec/item.h"
#include "kvs/tree/diff.h"

namespace kvs {

bool SameTagsAndSchema(std::string_view a, std::string_view b) {
    constexpr uint8_t kEither = kMetadataTags | kMetadataSchemaHash;
    const uint8_t flags = DecodeMetadataHeader(a).OrThrow().flags | DecodeMetadataHeader(b).OrThrow().flags;
    if ((flags & kEither) == 0) {
        return true;
    }
    const Metadata decoded_a = DecodeMetadata(a).OrThrow();
    const Metadata decoded_b = DecodeMetadata(b).OrThrow();
    return decoded_a.tags == decoded_b.tags && decoded_a.schema_hash == decoded_b.schema_hash;
}

bool SameContents(NodeStore& store, const TreePair& a, const TreePair& b) {
    if (a.data_root != b.data_root) {
        return false;
    }
    DiffCursor diff(store, a.meta_root, b.meta_root);
    while (std::optional<TreeChange> change = diff.Next()) {
        // Of a key that one side never wrote the other has a tombstone, or the data would differ.
        if (change->from && change->to && !SameTagsAndSchema(*change->from, *change->to)) {
            return false;
        }
    }
    return true;
}

}  // namespace kvs
