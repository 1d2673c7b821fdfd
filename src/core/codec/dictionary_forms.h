// What the compression library makes of a dictionary.
#pragma once

#include <zstd.h>

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "kvs/codec/dictionary.h"

namespace kvs {

struct CompressorFormDeleter {
    void operator()(ZSTD_CDict* form) const { ZSTD_freeCDict(form); }
};
struct DecompressorFormDeleter {
    void operator()(ZSTD_DDict* form) const { ZSTD_freeDDict(form); }
};

struct Dictionary::Forms {
    explicit Forms(std::string dictionary) : bytes(std::move(dictionary)) {}

    std::string bytes;
    std::unique_ptr<ZSTD_CDict, CompressorFormDeleter> compressor;
    int compressor_level = 0;  // that it was made for
    std::unique_ptr<ZSTD_DDict, DecompressorFormDeleter> decompressor;

    const ZSTD_CDict* Compressor(int level) {
        if (!compressor || compressor_level != level) {
            compressor.reset(ZSTD_createCDict(bytes.data(), bytes.size(), level));
            compressor_level = level;
            if (!compressor) {
                throw std::bad_alloc();
            }
        }
        return compressor.get();
    }

    // Null if the bytes are no dictionary.
    const ZSTD_DDict* Decompressor() {
        if (!decompressor) {
            decompressor.reset(ZSTD_createDDict(bytes.data(), bytes.size()));
        }
        return decompressor.get();
    }
};

}  // namespace kvs
