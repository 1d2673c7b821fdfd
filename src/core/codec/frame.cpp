#include "kvs/codec/frame.h"

#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

#include "dictionary_forms.h"
#include "kvs/codec/varint.h"

namespace kvs {

namespace {

constexpr char kRawCodec = 0;
constexpr char kZstdCodec = 1;
constexpr char kDictionaryCodec = 2;
constexpr char kDeltaCodec = 3;
constexpr size_t kZstdHeaderSize = 1 + sizeof(uint32_t);
constexpr size_t kDictionaryHeaderSize = 1 + 2 * sizeof(uint32_t);
constexpr size_t kDeltaHeaderSize = kMaxFrameHeadSize;

// Every zstd frame begins with it; where references are stored it is left out.
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";

// Bounds from the zstd format (RFC 8878): a block takes at least 4 bytes and yields at most 128 KiB.
constexpr size_t kZstdMinBlock = 4;
constexpr size_t kZstdMaxBlockContent = size_t{128} << 10;

struct CompressorDeleter {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct DecompressorDeleter {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Error Corrupt(const std::string& what) {
    return {ErrorCode::kCorruption, "chunk frame is damaged: " + what};
}

std::string RawFrame(std::string_view raw) {
    std::string frame;
    frame.reserve(1 + raw.size());
    frame.push_back(kRawCodec);
    frame.append(raw);
    return frame;
}

size_t OrThrow(size_t size) {
    if (ZSTD_isError(size)) {
        throw std::runtime_error(std::string("could not compress a chunk: ") + ZSTD_getErrorName(size));
    }
    return size;
}

void RequireSize(std::string_view raw, size_t limit) {
    if (raw.size() > limit) {
        throw Error(ErrorCode::kLimitExceeded,
                    "chunk of " + std::to_string(raw.size()) + " bytes is too large",
                    "A chunk may have up to " + std::to_string(limit) + " bytes.");
    }
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

    // A compressor for one call of ZSTD_compress2, with nothing left of the call before.
    ZSTD_CCtx* FreshCompressor() {
        ZSTD_CCtx* fresh = Compressor();
        ZSTD_CCtx_reset(fresh, ZSTD_reset_session_and_parameters);
        return fresh;
    }

    // Not compressing to a smaller buffer: zstd is slower when it may run out of space.
    char* Scratch(size_t bound) {
        if (scratch.size() < bound) {
            scratch.resize(bound);
        }
        return scratch.data();
    }

    // Does not hold megabytes for one large blob.
    void TrimScratch() {
        constexpr size_t kKeptScratch = size_t{64} << 10;
        if (scratch.size() > kKeptScratch) {
            std::string().swap(scratch);
        }
    }
};

FrameCodec::FrameCodec() : contexts_(std::make_unique<Contexts>()) {}
FrameCodec::~FrameCodec() = default;
FrameCodec::FrameCodec(FrameCodec&&) noexcept = default;
FrameCodec& FrameCodec::operator=(FrameCodec&&) noexcept = default;

std::optional<DeltaLink> FrameDelta(std::string_view frame) {
    if (frame.size() < kDeltaHeaderSize || frame[0] != kDeltaCodec) {
        return std::nullopt;
    }
    return DeltaLink{Hash::FromBytes(frame.substr(1)), static_cast<uint8_t>(frame[1 + Hash::kSize])};
}

std::optional<Hash> FrameBase(std::string_view frame) {
    const std::optional<DeltaLink> link = FrameDelta(frame);
    return link ? std::optional<Hash>(link->base) : std::nullopt;
}

int FrameDepth(std::string_view frame) {
    const std::optional<DeltaLink> link = FrameDelta(frame);
    return link ? link->depth : 0;
}

std::optional<uint32_t> FrameDictionary(std::string_view frame) {
    uint32_t id;
    if (frame.empty() || frame[0] != kDictionaryCodec || !ByteReader(frame.substr(1)).ReadFixed(&id)) {
        return std::nullopt;
    }
    return id;
}

std::string FrameCodec::Encode(std::string_view raw, int level, const Dictionary* dictionary) {
    RequireSize(raw, kMaxRawChunkSize);
    if (level == 0 || raw.size() <= kZstdHeaderSize) {
        return RawFrame(raw);
    }
    level = std::clamp(level, ZSTD_minCLevel(), ZSTD_maxCLevel());
    if (raw.size() > kMaxDictionaryChunkSize) {
        dictionary = nullptr;
    }

    const size_t bound = ZSTD_compressBound(raw.size());
    char* scratch = contexts_->Scratch(bound);
    size_t size;
    if (dictionary == nullptr) {
        size = OrThrow(
            ZSTD_compressCCtx(contexts_->Compressor(), scratch, bound, raw.data(), raw.size(), level));
    } else {
        ZSTD_CCtx* compressor = contexts_->FreshCompressor();
        OrThrow(ZSTD_CCtx_refCDict(compressor, dictionary->forms_->Compressor(level)));
        // The frame names it already.
        OrThrow(ZSTD_CCtx_setParameter(compressor, ZSTD_c_dictIDFlag, 0));
        size = OrThrow(ZSTD_compress2(compressor, scratch, bound, raw.data(), raw.size()));
    }

    const size_t header_size = dictionary == nullptr ? kZstdHeaderSize : kDictionaryHeaderSize;
    std::string frame;
    if (header_size + size > raw.size() - raw.size() / 8) {
        frame = RawFrame(raw);
    } else {
        frame.reserve(header_size + size);
        if (dictionary == nullptr) {
            frame.push_back(kZstdCodec);
        } else {
            frame.push_back(kDictionaryCodec);
            AppendFixed(frame, dictionary->id());
        }
        AppendFixed(frame, static_cast<uint32_t>(raw.size()));
        const std::string_view compressed(scratch, size);
        frame.append(dictionary == nullptr ? compressed : compressed.substr(kZstdMagic.size()));
    }
    contexts_->TrimScratch();
    return frame;
}

std::string FrameCodec::EncodeDelta(std::string_view raw, std::string_view base_raw, const DeltaLink& link,
                                    int level) {
    RequireSize(raw, kMaxDeltaChunkSize);
    RequireSize(base_raw, kMaxDeltaChunkSize);
    if (link.depth < 1 || link.depth > kMaxDeltaDepth) {
        throw Error(ErrorCode::kInvalidArgument, "a delta cannot have depth " + std::to_string(link.depth));
    }
    ZSTD_CCtx* compressor = contexts_->FreshCompressor();
    OrThrow(ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel,
                                   std::clamp(level, ZSTD_minCLevel(), ZSTD_maxCLevel())));
    OrThrow(ZSTD_CCtx_refPrefix(compressor, base_raw.data(), base_raw.size()));
    const size_t bound = ZSTD_compressBound(raw.size());
    char* scratch = contexts_->Scratch(bound);
    const size_t size = OrThrow(ZSTD_compress2(compressor, scratch, bound, raw.data(), raw.size()));

    std::string frame;
    frame.reserve(kDeltaHeaderSize + size);
    frame.push_back(kDeltaCodec);
    frame.append(link.base.AsBytes());
    frame.push_back(static_cast<char>(link.depth));
    AppendFixed(frame, static_cast<uint32_t>(raw.size()));
    frame.append(std::string_view(scratch, size).substr(kZstdMagic.size()));
    contexts_->TrimScratch();
    return frame;
}

// One frame by itself; a delta onto `base_raw`.
Result<std::string> FrameCodec::DecodeOne(std::string_view frame, const Sources& sources,
                                          std::string_view base_raw) {
    if (frame.empty()) {
        return Corrupt("it is empty");
    }
    const char codec = frame[0];
    if (codec == kRawCodec) {
        if (frame.size() - 1 > kMaxRawChunkSize) {
            return Corrupt("it is larger than a chunk may be");
        }
        return std::string(frame.substr(1));
    }
    if (codec != kZstdCodec && codec != kDictionaryCodec && codec != kDeltaCodec) {
        return Corrupt("its codec is unknown");
    }

    ByteReader reader(frame.substr(1));
    uint32_t dictionary_id = 0;
    std::string_view link;
    uint32_t raw_size;
    if ((codec == kDictionaryCodec && !reader.ReadFixed(&dictionary_id)) ||
        (codec == kDeltaCodec && !reader.ReadBytes(Hash::kSize + 1, &link)) || !reader.ReadFixed(&raw_size)) {
        return Corrupt("it ends too early");
    }
    std::string_view compressed = reader.rest();
    std::string with_magic;
    if (codec != kZstdCodec) {
        with_magic.reserve(kZstdMagic.size() + compressed.size());
        with_magic.append(kZstdMagic).append(compressed);
        compressed = with_magic;
    }
    const size_t limit = codec == kDeltaCodec        ? kMaxDeltaChunkSize
                         : codec == kDictionaryCodec ? kMaxDictionaryChunkSize
                                                     : kMaxRawChunkSize;
    if (raw_size > limit || raw_size > compressed.size() / kZstdMinBlock * kZstdMaxBlockContent) {
        return Corrupt("its size is impossible");
    }
    if (ZSTD_getFrameContentSize(compressed.data(), compressed.size()) != raw_size) {
        return Corrupt("its sizes differ");
    }
    if (ZSTD_findFrameCompressedSize(compressed.data(), compressed.size()) != compressed.size()) {
        return Corrupt("it does not end where its data end");
    }

    ZSTD_DCtx* decompressor = contexts_->Decompressor();
    ZSTD_DCtx_reset(decompressor, ZSTD_reset_session_and_parameters);
    size_t referred = 0;
    if (codec == kDictionaryCodec) {
        const Dictionary* dictionary =
            sources.dictionaries == nullptr ? nullptr : sources.dictionaries->FindDictionary(dictionary_id);
        if (dictionary == nullptr) {
            return Corrupt("dictionary " + std::to_string(dictionary_id) + " is missing");
        }
        const ZSTD_DDict* form = dictionary->forms_->Decompressor();
        if (form == nullptr) {
            return Corrupt("dictionary " + std::to_string(dictionary_id) + " is damaged");
        }
        referred = ZSTD_DCtx_refDDict(decompressor, form);
    } else if (codec == kDeltaCodec) {
        referred = ZSTD_DCtx_refPrefix(decompressor, base_raw.data(), base_raw.size());
    }
    std::string raw(raw_size, '\0');
    const size_t size = ZSTD_isError(referred) ? referred
                                               : ZSTD_decompressDCtx(decompressor, raw.data(), raw.size(),
                                                                     compressed.data(), compressed.size());
    if (ZSTD_isError(size) || size != raw_size) {
        return Corrupt("it cannot be decompressed");
    }
    return raw;
}

Result<std::string> FrameCodec::Decode(std::string_view frame) {
    return Decode(frame, Sources());
}

// Goes down the chain to something whole, and comes back up delta by delta: two chunks are held at a time.
Result<std::string> FrameCodec::Decode(std::string_view frame, const Sources& sources) {
    if (frame.empty() || frame[0] != kDeltaCodec) {
        return DecodeOne(frame, sources, {});
    }
    std::vector<std::string> bases;  // of the deltas so far, the last one perhaps not a delta itself
    std::string_view delta = frame;
    int depth = kMaxDeltaDepth + 1;  // of what stands on `delta`
    bool raw = false;
    while (!raw && !delta.empty() && delta[0] == kDeltaCodec) {
        const std::optional<DeltaLink> link = FrameDelta(delta);
        if (!link) {
            return Corrupt("it ends too early");
        }
        if (link->depth < 1 || link->depth >= depth) {
            return Corrupt("the depths of its chain do not descend");
        }
        depth = link->depth;
        std::optional<BaseSource::Base> base =
            sources.bases == nullptr ? std::nullopt : sources.bases->FindBase(link->base);
        if (!base) {
            return Corrupt("its base " + link->base.ToHex() + " is missing");
        }
        raw = base->raw;
        if (raw && base->depth >= depth) {
            return Corrupt("the depths of its chain do not descend");
        }
        bases.push_back(std::move(base->bytes));
        delta = bases.back();
    }
    std::string chunk;
    if (raw) {
        chunk = std::move(bases.back());
    } else {
        Result<std::string> whole = DecodeOne(bases.back(), sources, {});
        if (!whole.ok()) {
            return whole;
        }
        chunk = std::move(whole).value();
    }
    for (bases.pop_back();; bases.pop_back()) {
        Result<std::string> next =
            DecodeOne(bases.empty() ? frame : std::string_view(bases.back()), sources, chunk);
        if (!next.ok() || bases.empty()) {
            return next;
        }
        chunk = std::move(next).value();
    }
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
