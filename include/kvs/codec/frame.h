// Frames: how a chunk stands in the chunk table.
//
//     u8 codec    0 raw, 1 zstd; reserved: 2 zstd with a dictionary, 3 zstd delta against another chunk
//     raw:  the chunk
//     zstd: u32 size of the chunk, then one zstd frame
//
// A chunk's address covers its raw bytes, never the frame, so frames may be rewritten at will.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "kvs/error.h"

namespace kvs {

// A blob of kMaxValueSize with room for what surrounds it.
constexpr size_t kMaxRawChunkSize = size_t{17} << 20;

constexpr int kDefaultCompressionLevel = 3;

// Encodes and decodes frames, and keeps the compression contexts, which are dear to create. They are made at
// first use. Not for two threads at once; movable.
class FrameCodec {
  public:
    FrameCodec();
    ~FrameCodec();
    FrameCodec(FrameCodec&&) noexcept;
    FrameCodec& operator=(FrameCodec&&) noexcept;

    // `level` is zstd's (negative: faster; clamped to what the library knows), 0 stores the chunk raw, as it
    // is also where zstd saves less than an eighth. Throws Error(kLimitExceeded) above kMaxRawChunkSize.
    std::string Encode(std::string_view raw, int level = kDefaultCompressionLevel);

    // The raw chunk. Anything but a whole, well-formed frame gives Error(kCorruption); memory is taken only
    // for sizes that the compressed bytes can really yield.
    Result<std::string> Decode(std::string_view frame);

  private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
};

// Whether the frame is of a codec that needs no dictionary and no other chunk: raw or zstd.
bool IsPortableFrame(std::string_view frame);

// The same with contexts made for one call: for tools and tests.
std::string EncodeFrame(std::string_view raw, int level = kDefaultCompressionLevel);
Result<std::string> DecodeFrame(std::string_view frame);

}  // namespace kvs
