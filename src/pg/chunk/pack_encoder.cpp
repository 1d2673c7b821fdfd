#include "pg/chunk/pack_encoder.h"

#include <algorithm>

namespace kvs::pg {

namespace {

// Versions of a place resemble one another so much that higher levels take longer and find little more.
constexpr int kPackLevel = 3;

// Enough for some thirty versions of a node, which are decoded in less than a tenth of a millisecond. Of
// larger chunks there is to be more than one in a pack.
constexpr size_t kPackSize = size_t{128} << 10;
constexpr size_t kLargeMembers = 6;

}  // namespace

bool PackEncoder::HasRoomFor(const Pack& pack, size_t size) {
    const size_t room = std::min(std::max(kPackSize, size * kLargeMembers), kMaxPackRawSize);
    return pack.HasRoomFor(size) && (pack.count() == 0 || pack.raw_size() + size <= room);
}

std::string PackEncoder::Encode(const Pack& pack) {
    if (!dictionaries_) {
        dictionaries_ = ReadNewestDictionaries();
    }
    const Dictionary* dictionary = nullptr;
    const std::optional<ChunkClass> chunk_class =
        pack.count() > 0 ? ClassOfChunk(pack.Member(0)) : std::nullopt;
    if (chunk_class) {
        if (const std::optional<uint32_t>& id = (*dictionaries_)[static_cast<size_t>(*chunk_class)]) {
            dictionary = DictionaryCache::Get().FindDictionary(*id);
        }
    }
    return codec_.Encode(pack, kPackLevel, dictionary);
}

}  // namespace kvs::pg
