#include "kvs/codec/frame.h"

#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "dictionary_forms.h"
#include "kvs/codec/varint.h"
#include "zstd_contexts.h"

namespace kvs {

namespace {

constexpr char kRawCodec = 0;
constexpr char kZstdCodec = 1;
constexpr char kDictionaryCodec = 2;
constexpr char kFastCodec = 3;  // zstd at a negative level
constexpr size_t kZstdHeaderSize = 1 + sizeof(uint32_t);
constexpr size_t kDictionaryHeaderSize = 1 + 2 * sizeof(uint32_t);

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

void RequireSize(std::string_view raw, size_t limit) {
    if (raw.size() > limit) {
        throw Error(ErrorCode::kLimitExceeded,
                    "chunk of " + std::to_string(raw.size()) + " bytes is too large",
                    "A chunk may have up to " + std::to_string(limit) + " bytes.");
    }
}

}  // namespace

struct FrameCodec::Contexts : ZstdContexts {};

FrameCodec::FrameCodec() : contexts_(std::make_unique<Contexts>()) {}
FrameCodec::~FrameCodec() = default;
FrameCodec::FrameCodec(FrameCodec&&) noexcept = default;
FrameCodec& FrameCodec::operator=(FrameCodec&&) noexcept = default;

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
        size = CompressedOrThrow(
            ZSTD_compressCCtx(contexts_->Compressor(), scratch, bound, raw.data(), raw.size(), level));
    } else {
        ZSTD_CCtx* compressor = contexts_->FreshCompressor();
        ZstdContexts::UseDictionary(compressor, dictionary->forms_->Compressor(level), dictionary->id());
        size = CompressedOrThrow(ZSTD_compress2(compressor, scratch, bound, raw.data(), raw.size()));
    }

    const size_t header_size = dictionary == nullptr ? kZstdHeaderSize : kDictionaryHeaderSize;
    std::string frame;
    if (header_size + size > raw.size() - raw.size() / 8) {
        frame = RawFrame(raw);
    } else {
        frame.reserve(header_size + size);
        if (dictionary == nullptr) {
            frame.push_back(level < 0 ? kFastCodec : kZstdCodec);
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

Result<std::string> FrameCodec::Decode(std::string_view frame, DictionarySource* dictionaries) {
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
    if (codec != kZstdCodec && codec != kDictionaryCodec && codec != kFastCodec) {
        return Corrupt("its codec is unknown");
    }

    ByteReader reader(frame.substr(1));
    uint32_t dictionary_id = 0;
    uint32_t raw_size;
    if ((codec == kDictionaryCodec && !reader.ReadFixed(&dictionary_id)) || !reader.ReadFixed(&raw_size)) {
        return Corrupt("it ends too early");
    }
    std::string_view compressed = reader.rest();
    std::string with_magic;
    if (codec == kDictionaryCodec) {
        with_magic.reserve(kZstdMagic.size() + compressed.size());
        with_magic.append(kZstdMagic).append(compressed);
        compressed = with_magic;
    }
    if (raw_size > (codec == kDictionaryCodec ? kMaxDictionaryChunkSize : kMaxRawChunkSize)) {
        return Corrupt("its size is impossible");
    }
    if (const char* fault = FaultOfZstdFrame(compressed, raw_size)) {
        return Corrupt(fault);
    }

    ZSTD_DCtx* decompressor = contexts_->FreshDecompressor();
    size_t referred = 0;
    if (codec == kDictionaryCodec) {
        const Dictionary* dictionary =
            dictionaries == nullptr ? nullptr : dictionaries->FindDictionary(dictionary_id);
        if (dictionary == nullptr) {
            return Corrupt("dictionary " + std::to_string(dictionary_id) + " is missing");
        }
        const ZSTD_DDict* form = dictionary->forms_->Decompressor();
        if (form == nullptr) {
            return Corrupt("dictionary " + std::to_string(dictionary_id) + " is damaged");
        }
        referred = ZSTD_DCtx_refDDict(decompressor, form);
    }
    std::string raw(raw_size, '\0');
    const size_t size = ZSTD_isError(referred) ? referred
                                               : ZSTD_decompressDCtx(decompressor, raw.data(), raw.size(),
                                                                     compressed.data(), compressed.size());
    if (ZSTD_isError(SizeOrBadAlloc(size)) || size != raw_size) {
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
