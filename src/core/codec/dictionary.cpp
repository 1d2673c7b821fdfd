#include "kvs/codec/dictionary.h"

#include <zdict.h>

#include "dictionary_forms.h"
#include "kvs/tree/chunk.h"
#include "zstd_contexts.h"

namespace kvs {

std::optional<ChunkClass> ClassOfChunk(std::string_view raw) {
    if (raw.size() < kChunkHeaderSize) {
        return std::nullopt;
    }
    const auto level = static_cast<uint8_t>(raw[1]);
    if (level == 0) {
        return ChunkClass::kLeaf;
    }
    return level == kBlobLevel ? ChunkClass::kBlob : ChunkClass::kInternal;
}

const char* ChunkClassName(ChunkClass chunk_class) {
    switch (chunk_class) {
        case ChunkClass::kLeaf:
            return "leaf";
        case ChunkClass::kInternal:
            return "internal";
        default:
            return "blob";
    }
}

Dictionary::Dictionary(uint32_t id, std::string bytes)
    : id_(id), forms_(std::make_unique<Forms>(std::move(bytes))) {}
Dictionary::~Dictionary() = default;
Dictionary::Dictionary(Dictionary&&) noexcept = default;
Dictionary& Dictionary::operator=(Dictionary&&) noexcept = default;

std::string_view Dictionary::bytes() const {
    return forms_->bytes;
}

size_t Dictionary::MemorySize() const {
    return forms_->bytes.size() + ZSTD_sizeof_CDict(forms_->compressor) +
           ZSTD_sizeof_DDict(forms_->decompressor);
}

std::optional<std::string> TrainDictionary(const std::vector<std::string>& samples, size_t capacity) {
    std::string joined;
    std::vector<size_t> sizes;
    sizes.reserve(samples.size());
    for (const std::string& sample : samples) {
        joined += sample;
        sizes.push_back(sample.size());
    }
    std::string dictionary(capacity, '\0');
    const size_t size = ZDICT_trainFromBuffer(dictionary.data(), dictionary.size(), joined.data(),
                                              sizes.data(), static_cast<unsigned>(sizes.size()));
    if (ZDICT_isError(SizeOrBadAlloc(size))) {
        return std::nullopt;
    }
    dictionary.resize(size);
    return dictionary;
}

}  // namespace kvs
