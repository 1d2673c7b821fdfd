// The compression library's contexts, which are dear to create: made at first use and kept.
#pragma once

#include <zstd.h>
#include <zstd_errors.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "kvs/codec/dictionary.h"
#include "kvs/error.h"

namespace kvs {

// Every zstd frame begins with it; where a dictionary or a pack is stored it is left out.
inline constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";

// Bounds from the zstd format (RFC 8878): a block takes at least 4 bytes and yields at most 128 KiB.
constexpr size_t kZstdMinBlock = 4;
constexpr size_t kZstdMaxBlockContent = size_t{128} << 10;

struct CompressorDeleter {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct DecompressorDeleter {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// The library's error code for want of memory is no fault of the data.
inline size_t SizeOrBadAlloc(size_t size) {
    if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation) {
        throw std::bad_alloc();
    }
    return size;
}

inline size_t CompressedOrThrow(size_t size) {
    if (ZSTD_isError(SizeOrBadAlloc(size))) {
        throw std::runtime_error(std::string("could not compress a chunk: ") + ZSTD_getErrorName(size));
    }
    return size;
}

// Each context is one allocation, and grows by another one in it, which fails as an error: no call of these
// goes on without memory (test/unit/codec/memory_test.cpp fails each of them).
struct ZstdContexts {
    std::unique_ptr<ZSTD_CCtx, CompressorDeleter> compressor;
    std::unique_ptr<ZSTD_DCtx, DecompressorDeleter> decompressor;
    std::string scratch;  // where compressed bytes go, whose size is not known before

    ZSTD_CCtx* Compressor() {
        if (!compressor) {
            compressor.reset(ZSTD_createCCtx());
            if (!compressor) {
                throw std::bad_alloc();
            }
        }
        return compressor.get();
    }

    // For one call of ZSTD_compress2, with nothing left of the call before.
    ZSTD_CCtx* FreshCompressor() {
        ZSTD_CCtx* fresh = Compressor();
        ZSTD_CCtx_reset(fresh, ZSTD_reset_session_and_parameters);
        return fresh;
    }

    ZSTD_DCtx* FreshDecompressor() {
        if (!decompressor) {
            decompressor.reset(ZSTD_createDCtx());
            if (!decompressor) {
                throw std::bad_alloc();
            }
        }
        ZSTD_DCtx_reset(decompressor.get(), ZSTD_reset_session_and_parameters);
        return decompressor.get();
    }

    static void UseDictionary(ZSTD_CCtx* fresh, const ZSTD_CDict* form, uint32_t id) {
        if (form == nullptr) {
            throw Error(ErrorCode::kCorruption, "dictionary " + std::to_string(id) + " is damaged");
        }
        CompressedOrThrow(ZSTD_CCtx_refCDict(fresh, form));
        // What is stored names it already.
        CompressedOrThrow(ZSTD_CCtx_setParameter(fresh, ZSTD_c_dictIDFlag, 0));
    }

    // Not compressing to a smaller buffer: zstd is slower when it may run out of space.
    char* Scratch(size_t bound) {
        if (scratch.size() < bound) {
            scratch.resize(bound);
        }
        return scratch.data();
    }

    // Does not hold megabytes for one large chunk.
    void TrimScratch() {
        constexpr size_t kKeptScratch = size_t{256} << 10;
        if (scratch.size() > kKeptScratch) {
            std::string().swap(scratch);
        }
    }
};

// Whether a zstd frame, complete with its magic number, may hold `raw_size` bytes: null, or what is wrong.
inline const char* FaultOfZstdFrame(std::string_view compressed, size_t raw_size) {
    if (raw_size > compressed.size() / kZstdMinBlock * kZstdMaxBlockContent) {
        return "its size is impossible";
    }
    if (ZSTD_getFrameContentSize(compressed.data(), compressed.size()) != raw_size) {
        return "its sizes differ";
    }
    if (ZSTD_findFrameCompressedSize(compressed.data(), compressed.size()) != compressed.size()) {
        return "it does not end where its data end";
    }
    return nullptr;
}

}  // namespace kvs
