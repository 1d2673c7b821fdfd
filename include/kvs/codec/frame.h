// Frames: how a chunk stands in the chunk table (docs/node-format.md).
//
//     u8 codec    0 raw, 1 zstd, 2 zstd with a dictionary, 3 zstd at a negative level: fast, and larger
//     raw:        the chunk
//     zstd:       u32 size of the chunk, then one zstd frame; so too at a negative level
//     dictionary: u32 id of the dictionary, u32 size of the chunk, then one zstd frame without its magic
//                 number
//
// A chunk's address covers its raw bytes, never the frame, so how a chunk is stored is nobody's business but
// the store's. Chunks of history are stored many in one: kvs/codec/pack.h.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/codec/dictionary.h"
#include "kvs/error.h"

namespace kvs {

// A blob of kMaxValueSize with room for what surrounds it.
constexpr size_t kMaxRawChunkSize = size_t{17} << 20;

constexpr int kDefaultCompressionLevel = 3;

// The dictionary that the frame names.
std::optional<uint32_t> FrameDictionary(std::string_view frame);

// Encodes and decodes frames, and keeps the compression contexts, which are dear to create. They are made at
// first use. Not for two threads at once; movable.
class FrameCodec {
  public:
    FrameCodec();
    ~FrameCodec();
    FrameCodec(FrameCodec&&) noexcept;
    FrameCodec& operator=(FrameCodec&&) noexcept;

    // `level` is zstd's (negative: faster; clamped to what the library knows), 0 stores the chunk raw, as it
    // is also where zstd saves less than an eighth. A dictionary is used for chunks of up to
    // kMaxDictionaryChunkSize. Throws Error(kLimitExceeded) above kMaxRawChunkSize.
    std::string Encode(std::string_view raw, int level = kDefaultCompressionLevel,
                       const Dictionary* dictionary = nullptr);

    // The raw chunk. Anything but a whole, well-formed frame gives Error(kCorruption), also where a
    // dictionary is missing; memory is taken only for sizes that the compressed bytes can really yield.
    // Whether the chunk is the right one only its address tells.
    Result<std::string> Decode(std::string_view frame, DictionarySource* dictionaries = nullptr);

  private:
    struct Contexts;

    std::unique_ptr<Contexts> contexts_;
};

// Whether the frame may leave the store, raw or zstd: it needs no dictionary, and was not compressed in
// haste.
bool IsPortableFrame(std::string_view frame);

// The same with contexts made for one call: for tools and tests.
std::string EncodeFrame(std::string_view raw, int level = kDefaultCompressionLevel);
Result<std::string> DecodeFrame(std::string_view frame);

}  // namespace kvs
