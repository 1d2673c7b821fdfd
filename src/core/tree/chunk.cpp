#include "kvs/tree/chunk.h"

#include "kvs/entry.h"

namespace kvs {

Hash ChunkAddress(Hasher& hasher, std::string_view raw_chunk) {
    // Ordinary nodes are put together on the stack: this runs for every node read and written.
    char buffer[8192];
    const size_t size = kChunkDomain.size() + raw_chunk.size();
    if (size <= sizeof(buffer)) {
        kChunkDomain.copy(buffer, kChunkDomain.size());
        raw_chunk.copy(buffer + kChunkDomain.size(), raw_chunk.size());
        return hasher.Sha256({buffer, size});
    }
    std::string tagged;
    tagged.reserve(size);
    tagged.append(kChunkDomain).append(raw_chunk);
    return hasher.Sha256(tagged);
}

std::string EncodeBlob(std::string_view payload) {
    if (payload.size() > kMaxValueSize) {
        throw Error(ErrorCode::kLimitExceeded, "value of " + std::to_string(payload.size()) +
                                                   " bytes exceeds the limit of " +
                                                   std::to_string(kMaxValueSize) + " bytes");
    }
    std::string raw;
    raw.reserve(kChunkHeaderSize + payload.size());
    raw.push_back(static_cast<char>(kNodeFormatVersion));
    raw.push_back(static_cast<char>(kBlobLevel));
    raw.append(payload);
    return raw;
}

Result<std::string_view> DecodeBlob(std::string_view raw_chunk) {
    if (raw_chunk.size() < kChunkHeaderSize) {
        return Error(ErrorCode::kCorruption, "malformed blob: shorter than its header");
    }
    if (static_cast<uint8_t>(raw_chunk[0]) != kNodeFormatVersion) {
        return Error(ErrorCode::kCorruption, "malformed blob: unknown format version");
    }
    if (static_cast<uint8_t>(raw_chunk[1]) != kBlobLevel) {
        return Error(ErrorCode::kCorruption, "malformed blob: the chunk is a tree node");
    }
    if (raw_chunk.size() - kChunkHeaderSize > kMaxValueSize) {
        return Error(ErrorCode::kCorruption, "malformed blob: larger than a value may be");
    }
    return raw_chunk.substr(kChunkHeaderSize);
}

}  // namespace kvs
