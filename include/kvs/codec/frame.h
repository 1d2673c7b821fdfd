// Frames: how a chunk stands in the chunk table (docs/node-format.md).
//
//     u8 codec    0 raw, 1 zstd, 2 zstd with a dictionary, 3 zstd delta against another chunk
//     raw:        the chunk
//     zstd:       u32 size of the chunk, then one zstd frame
//     dictionary: u32 id of the dictionary, u32 size of the chunk, then one zstd frame without its magic
//     number delta:      32-byte address of the base, u8 depth, u32 size of the chunk, then one zstd frame,
//     likewise,
//                 whose prefix is the base's raw chunk
//
// A chunk's address covers its raw bytes, never the frame, so frames may be rewritten at will: which codec a
// chunk has, and against which base, is nobody's business but the store's.
//
// Depths make chains of deltas end. A frame that is no delta has depth 0, and a delta's depth is greater than
// that of its base, at least 1 and at most kMaxDeltaDepth: no chain is longer, and none comes back to itself.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/codec/dictionary.h"
#include "kvs/error.h"
#include "kvs/hash.h"

namespace kvs {

// A blob of kMaxValueSize with room for what surrounds it.
constexpr size_t kMaxRawChunkSize = size_t{17} << 20;

// Chunks above that size, and their successors, are kept whole.
constexpr size_t kMaxDeltaChunkSize = size_t{1} << 20;

constexpr int kMaxDeltaDepth = 32;

constexpr int kDefaultCompressionLevel = 3;

enum class FrameKind : uint8_t { kRaw, kZstd, kDictionary, kDelta };

// What a delta says of itself.
struct DeltaLink {
    Hash base;
    int depth = 0;
};

// The head of a frame holds all that the functions below want to know.
constexpr size_t kMaxFrameHeadSize = 1 + Hash::kSize + 1 + 4;

// nullopt unless the frame (or its head) is a delta. A chunk whose frame is a delta needs its base: whoever
// deletes chunks keeps the base of each that stays.
std::optional<DeltaLink> FrameDelta(std::string_view frame);
std::optional<Hash> FrameBase(std::string_view frame);

// 0 for what is no delta.
int FrameDepth(std::string_view frame);

// The dictionary that the frame (or its head) names.
std::optional<uint32_t> FrameDictionary(std::string_view frame);

// Where deltas find the chunks that they stand on.
class BaseSource {
  public:
    struct Base {
        std::string bytes;
        // Whether `bytes` are the raw chunk, for sources that have it at hand; its depth then is that of the
        // frame it came from, or 0 if nobody knows.
        bool raw = false;
        int depth = 0;
    };

    virtual ~BaseSource() = default;

    // nullopt if there is no such chunk.
    virtual std::optional<Base> FindBase(const Hash& address) = 0;
};

// Encodes and decodes frames, and keeps the compression contexts, which are dear to create. They are made at
// first use. Not for two threads at once; movable.
class FrameCodec {
  public:
    // What a frame may refer to. Without a source every frame that refers to something is damaged.
    struct Sources {
        DictionarySource* dictionaries = nullptr;
        BaseSource* bases = nullptr;
    };

    FrameCodec();
    ~FrameCodec();
    FrameCodec(FrameCodec&&) noexcept;
    FrameCodec& operator=(FrameCodec&&) noexcept;

    // `level` is zstd's (negative: faster; clamped to what the library knows), 0 stores the chunk raw, as it
    // is also where zstd saves less than an eighth. A dictionary is used for chunks of up to
    // kMaxDictionaryChunkSize. Throws Error(kLimitExceeded) above kMaxRawChunkSize.
    std::string Encode(std::string_view raw, int level = kDefaultCompressionLevel,
                       const Dictionary* dictionary = nullptr);

    // A delta against `base_raw`, the raw chunk of `link.base`, whatever its size comes to. Neither chunk may
    // be larger than kMaxDeltaChunkSize.
    std::string EncodeDelta(std::string_view raw, std::string_view base_raw, const DeltaLink& link,
                            int level);

    // The raw chunk. Anything but a whole, well-formed frame gives Error(kCorruption), also where a
    // dictionary or a base is missing; memory is taken only for sizes that the compressed bytes can really
    // yield. Whether the chunk is the right one only its address tells: a delta on a wrong base, or with a
    // wrong dictionary, may decode to anything.
    Result<std::string> Decode(std::string_view frame);
    Result<std::string> Decode(std::string_view frame, const Sources& sources);

  private:
    struct Contexts;

    Result<std::string> DecodeOne(std::string_view frame, const Sources& sources, std::string_view base_raw);

    std::unique_ptr<Contexts> contexts_;
};

// Whether the frame is of a codec that needs no dictionary and no other chunk: raw or zstd.
bool IsPortableFrame(std::string_view frame);

// The same with contexts made for one call: for tools and tests.
std::string EncodeFrame(std::string_view raw, int level = kDefaultCompressionLevel);
Result<std::string> DecodeFrame(std::string_view frame);

}  // namespace kvs
