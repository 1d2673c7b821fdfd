// What the compression library makes of a dictionary.
//
// In memory of our own: zstd 1.5.4 writes through a null pointer where it makes a form itself and malloc
// fails (facebook/zstd pull request 3847), and gives null alike for bytes that are no dictionary.
#pragma once

#define ZSTD_STATIC_LINKING_ONLY  // for the forms in given memory, unchanged since zstd 1.3
#include <zstd.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "kvs/codec/dictionary.h"

namespace kvs {

struct Dictionary::Forms {
    explicit Forms(std::string dictionary) : bytes(std::move(dictionary)) {}

    // Both forms refer to the bytes, and are null if these are no dictionary.
    const ZSTD_CDict* Compressor(int level) {
        if (compressor == nullptr || compressor_level != level) {
            compressor = nullptr;
            compressor_memory.reset();
            // As zstd itself chooses them for a dictionary, which it takes to be for chunks of this size.
            constexpr unsigned long long kChunkSize = 513;
            const ZSTD_compressionParameters parameters = ZSTD_getCParams(level, kChunkSize, bytes.size());
            const size_t size = ZSTD_estimateCDictSize_advanced(bytes.size(), parameters, ZSTD_dlm_byRef);
            compressor_memory = std::make_unique_for_overwrite<std::byte[]>(size);
            compressor = ZSTD_initStaticCDict(compressor_memory.get(), size, bytes.data(), bytes.size(),
                                              ZSTD_dlm_byRef, ZSTD_dct_auto, parameters);
            compressor_level = level;
        }
        return compressor;
    }

    const ZSTD_DDict* Decompressor() {
        if (decompressor == nullptr) {
            const size_t size = ZSTD_estimateDDictSize(bytes.size(), ZSTD_dlm_byRef);
            decompressor_memory = std::make_unique_for_overwrite<std::byte[]>(size);
            decompressor = ZSTD_initStaticDDict(decompressor_memory.get(), size, bytes.data(), bytes.size(),
                                                ZSTD_dlm_byRef, ZSTD_dct_auto);
        }
        return decompressor;
    }

    std::string bytes;
    std::unique_ptr<std::byte[]> compressor_memory;
    const ZSTD_CDict* compressor = nullptr;
    int compressor_level = 0;  // that it was made for
    std::unique_ptr<std::byte[]> decompressor_memory;
    const ZSTD_DDict* decompressor = nullptr;
};

}  // namespace kvs
