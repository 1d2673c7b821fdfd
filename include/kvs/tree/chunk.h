// Chunks: the immutable byte strings that a store keeps, and how they are addressed (docs/node-format.md).
//
// A raw chunk starts with a format version and a level: 0 for a leaf, 1 and up for an internal node,
// kBlobLevel for a blob. Its address is SHA-256 over a domain tag and the raw bytes, so that the address of a
// chunk is never also the address of a commit or of anything else that is hashed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kvs/error.h"
#include "kvs/hash.h"

namespace kvs {

constexpr uint8_t kNodeFormatVersion = 1;
constexpr uint8_t kBlobLevel = 255;
constexpr size_t kChunkHeaderSize = 2;
constexpr std::string_view kChunkDomain = "kvs chunk";

// The address of the empty leaf, which is the root of the empty tree. It is a constant of the format: no
// store is ever asked for it.
inline constexpr Hash kEmptyRoot{{0x50, 0x37, 0xe9, 0xb6, 0xf6, 0x06, 0xdc, 0x95, 0x3e, 0x08, 0x42,
                                  0x17, 0x9b, 0xe2, 0x09, 0xa0, 0x68, 0x8d, 0xef, 0xa8, 0x39, 0x38,
                                  0x82, 0x2f, 0x3d, 0xc3, 0x52, 0x09, 0x72, 0x21, 0x6e, 0xb9}};

// The address of `raw_chunk`, header included.
Hash ChunkAddress(Hasher& hasher, std::string_view raw_chunk);

// The raw chunk of a blob. Errors: Error(kLimitExceeded) above kMaxValueSize bytes.
std::string EncodeBlob(std::string_view payload);

// The payload, as a view into `raw_chunk`; kCorruption if this is not a blob chunk of a known version.
Result<std::string_view> DecodeBlob(std::string_view raw_chunk);

}  // namespace kvs
