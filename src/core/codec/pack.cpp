#include "kvs/codec/pack.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "dictionary_forms.h"
#include "kvs/codec/varint.h"
#include "zstd_contexts.h"

namespace kvs {

namespace {

constexpr char kZstdCodec = 1;
constexpr char kDictionaryCodec = 2;

constexpr int kMinWindowLog = 10;  // of zstd

// As far back as the tables of the low levels remember.
constexpr size_t kNearSize = size_t{256} << 10;

Error Corrupt(const std::string& what) {
    return {ErrorCode::kCorruption, "pack is damaged: " + what};
}

// What stands before the compressed bytes.
struct Head {
    char codec = kZstdCodec;
    uint32_t raw_size = 0;
    uint32_t dictionary = 0;
    std::vector<uint32_t> ends;
    std::string_view compressed;  // without the magic number
};

Result<Head> ReadHead(std::string_view bytes) {
    if (bytes.empty()) {
        return Corrupt("it is empty");
    }
    Head head;
    head.codec = bytes[0];
    if (head.codec != kZstdCodec && head.codec != kDictionaryCodec) {
        return Corrupt("its codec is unknown");
    }
    ByteReader reader(bytes.substr(1));
    uint64_t count;
    if (!reader.ReadFixed(&head.raw_size) ||
        (head.codec == kDictionaryCodec && !reader.ReadFixed(&head.dictionary)) ||
        !reader.ReadVarint(&count)) {
        return Corrupt("it ends too early");
    }
    if (count == 0 || count > kMaxPackMembers || head.raw_size > kMaxPackRawSize) {
        return Corrupt("its size is impossible");
    }
    uint64_t end = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t size;
        if (!reader.ReadVarint(&size)) {
            return Corrupt("it ends too early");
        }
        if (size == 0 || size > head.raw_size - end) {
            return Corrupt("its sizes differ");
        }
        end += size;
        head.ends.push_back(static_cast<uint32_t>(end));
    }
    if (end != head.raw_size) {
        return Corrupt("its sizes differ");
    }
    head.compressed = reader.rest();
    return head;
}

}  // namespace

void Pack::Add(std::string_view member) {
    if (!HasRoomFor(member.size())) {
        throw Error(ErrorCode::kLimitExceeded,
                    "a pack has no room for a chunk of " + std::to_string(member.size()) + " bytes");
    }
    raw_.append(member);
    ends_.push_back(static_cast<uint32_t>(raw_.size()));
}

struct PackCodec::Contexts : ZstdContexts {};

PackCodec::PackCodec() : contexts_(std::make_unique<Contexts>()) {}
PackCodec::~PackCodec() = default;
PackCodec::PackCodec(PackCodec&&) noexcept = default;
PackCodec& PackCodec::operator=(PackCodec&&) noexcept = default;

std::string PackCodec::Encode(const Pack& pack, int level, const Dictionary* dictionary) {
    if (pack.count() == 0) {
        throw Error(ErrorCode::kInvalidArgument, "a pack cannot be empty");
    }
    level = std::clamp(level, 1, ZSTD_maxCLevel());
    ZSTD_CCtx* compressor = contexts_->FreshCompressor();
    if (dictionary != nullptr) {
        ZstdContexts::UseDictionary(compressor, dictionary->forms_->Compressor(level), dictionary->id());
    } else {
        CompressedOrThrow(ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, level));
    }
    // Each member is to find the first one.
    const int window = std::max(kMinWindowLog, static_cast<int>(std::bit_width(pack.raw_.size())));
    CompressedOrThrow(ZSTD_CCtx_setParameter(compressor, ZSTD_c_windowLog, window));
    if (pack.raw_.size() > kNearSize) {
        CompressedOrThrow(ZSTD_CCtx_setParameter(compressor, ZSTD_c_enableLongDistanceMatching, 1));
    }
    const size_t bound = ZSTD_compressBound(pack.raw_.size());
    char* scratch = contexts_->Scratch(bound);
    const size_t size =
        CompressedOrThrow(ZSTD_compress2(compressor, scratch, bound, pack.raw_.data(), pack.raw_.size()));

    std::string bytes(1, dictionary == nullptr ? kZstdCodec : kDictionaryCodec);
    AppendFixed(bytes, static_cast<uint32_t>(pack.raw_.size()));
    if (dictionary != nullptr) {
        AppendFixed(bytes, dictionary->id());
    }
    AppendVarint(bytes, pack.count());
    for (size_t i = 0; i < pack.count(); i++) {
        AppendVarint(bytes, pack.Member(i).size());
    }
    bytes.append(std::string_view(scratch, size).substr(kZstdMagic.size()));
    contexts_->TrimScratch();
    return bytes;
}

Result<Pack> PackCodec::Decode(std::string_view bytes, DictionarySource* dictionaries) {
    Result<Head> read = ReadHead(bytes);
    if (!read.ok()) {
        return read.error();
    }
    Head head = std::move(read).value();
    std::string compressed;
    compressed.reserve(kZstdMagic.size() + head.compressed.size());
    compressed.append(kZstdMagic).append(head.compressed);
    if (const char* fault = FaultOfZstdFrame(compressed, head.raw_size)) {
        return Corrupt(fault);
    }
    ZSTD_DCtx* decompressor = contexts_->FreshDecompressor();
    size_t referred = 0;
    if (head.codec == kDictionaryCodec) {
        const Dictionary* dictionary =
            dictionaries == nullptr ? nullptr : dictionaries->FindDictionary(head.dictionary);
        if (dictionary == nullptr) {
            return Corrupt("dictionary " + std::to_string(head.dictionary) + " is missing");
        }
        const ZSTD_DDict* form = dictionary->forms_->Decompressor();
        if (form == nullptr) {
            return Corrupt("dictionary " + std::to_string(head.dictionary) + " is damaged");
        }
        referred = ZSTD_DCtx_refDDict(decompressor, form);
    }
    std::string raw(head.raw_size, '\0');
    const size_t size = ZSTD_isError(referred) ? referred
                                               : ZSTD_decompressDCtx(decompressor, raw.data(), raw.size(),
                                                                     compressed.data(), compressed.size());
    if (ZSTD_isError(SizeOrBadAlloc(size)) || size != head.raw_size) {
        return Corrupt("it cannot be decompressed");
    }
    return Pack(std::move(raw), std::move(head.ends));
}

Result<std::vector<uint32_t>> PackCodec::ReadSizes(std::string_view bytes) {
    Result<Head> head = ReadHead(bytes);
    if (!head.ok()) {
        return head.error();
    }
    std::vector<uint32_t> sizes = std::move(head).value().ends;
    for (size_t i = sizes.size(); i-- > 1;) {
        sizes[i] -= sizes[i - 1];
    }
    return sizes;
}

}  // namespace kvs
