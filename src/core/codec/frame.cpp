#include "kvs/codec/frame.h"

#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <stdexcept>

#include "kvs/codec/varint.h"

namespace kvs {

namespace {

constexpr char kRawCodec = 0;
constexpr char kZstdCodec = 1;
constexpr size_t kZstdHeaderSize = 1 + sizeof(uint32_t);

// Bounds from the zstd format (RFC 8878): a block takes at least 4 bytes and yields at most 128 KiB.
constexpr size_t kZstdMinBlock = 4;
constexpr size_t kZstdMaxBlockContent = size_t{128} << 10;

struct CompressorDeleter {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct DecompressorDeleter {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Error Corrupt(const char* what) {
    return {ErrorCode::kCorruption, std::string("chunk frame is damaged: ") + what};
}

std::string RawFrame(std::string_view raw) {
    std::string frame;
    frame.reserve(1 + raw.size());
    frame.push_back(kRawCodec);
    frame.append(raw);
    return frame;
}

}  // namespace

struct FrameCodec::Contexts {
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

    ZSTD_DCtx* Decompressor() {
        if (!decompressor) {
            decompressor.reset(ZSTD_createDCtx());
            if (!decompressor) {
                throw std::bad_alloc();
            }
        }
        return decompressor.get();
    }
};

FrameCodec::FrameCodec() : contexts_(std::make_unique<Contexts>()) {}
FrameCodec::~FrameCodec() = default;
FrameCodec::FrameCodec(FrameCodec&&) noexcept = default;
FrameCodec& FrameCodec::operator=(FrameCodec&&) noexcept = default;

std::string FrameCodec::Encode(std::string_view raw, int level) {
    if (raw.size() > kMaxRawChunkSize) {
        throw Error(ErrorCode::kLimitExceeded,
                    "chunk of " + std::to_string(raw.size()) + " bytes is too large",
                    "A chunk may have up to " + std::to_string(kMaxRawChunkSize) + " bytes.");
    }
    if (level == 0 || raw.size() <= kZstdHeaderSize) {
        return RawFrame(raw);
    }
    level = std::clamp(level, ZSTD_minCLevel(), ZSTD_maxCLevel());

    // Not compressing to a smaller buffer: zstd is slower when it may run out of space.
    constexpr size_t kKeptScratch = size_t{64} << 10;
    std::string& scratch = contexts_->scratch;
    size_t bound = ZSTD_compressBound(raw.size());
    if (scratch.size() < bound) {
        scratch.resize(bound);
    }
    size_t size =
        ZSTD_compressCCtx(contexts_->Compressor(), scratch.data(), bound, raw.data(), raw.size(), level);
    if (ZSTD_isError(size)) {
        throw std::runtime_error(std::string("could not compress a chunk: ") + ZSTD_getErrorName(size));
    }

    std::string frame;
    if (kZstdHeaderSize + size > raw.size() - raw.size() / 8) {
        frame = RawFrame(raw);
    } else {
        frame.reserve(kZstdHeaderSize + size);
        frame.push_back(kZstdCodec);
        AppendFixed(frame, static_cast<uint32_t>(raw.size()));
        frame.append(scratch.data(), size);
    }
    if (scratch.size() > kKeptScratch) {
        std::string().swap(scratch);  // do not hold megabytes for one large blob
    }
    return frame;
}

Result<std::string> FrameCodec::Decode(std::string_view frame) {
    if (frame.empty()) {
        return Corrupt("it is empty");
    }
    if (frame[0] == kRawCodec) {
        if (frame.size() - 1 > kMaxRawChunkSize) {
            return Corrupt("it is larger than a chunk may be");
        }
        return std::string(frame.substr(1));
    }
    if (frame[0] != kZstdCodec) {
        return Corrupt("its codec is unknown");
    }

    ByteReader reader(frame.substr(1));
    uint32_t raw_size;
    if (!reader.ReadFixed(&raw_size)) {
        return Corrupt("it ends too early");
    }
    std::string_view compressed = reader.rest();
    if (raw_size > kMaxRawChunkSize || raw_size > compressed.size() / kZstdMinBlock * kZstdMaxBlockContent) {
        return Corrupt("its size is impossible");
    }
    if (ZSTD_getFrameContentSize(compressed.data(), compressed.size()) != raw_size) {
        return Corrupt("its sizes differ");
    }
    if (ZSTD_findFrameCompressedSize(compressed.data(), compressed.size()) != compressed.size()) {
        return Corrupt("it does not end where its data end");
    }
    std::string raw(raw_size, '\0');
    size_t size = ZSTD_decompressDCtx(contexts_->Decompressor(), raw.data(), raw.size(), compressed.data(),
                                      compressed.size());
    if (ZSTD_isError(size) || size != raw_size) {
        return Corrupt("it cannot be decompressed");
    }
    return raw;
}

std::string EncodeFrame(std::string_view raw, int level) {
    return FrameCodec().Encode(raw, level);
}

Result<std::string> DecodeFrame(std::string_view frame) {
    return FrameCodec().Decode(frame);
}

bool IsPortableFrame(std::string_view frame) {
    return !frame.empty() && (frame[0] == kRawCodec || frame[0] == kZstdCodec);
}

}  // namespace kvs
