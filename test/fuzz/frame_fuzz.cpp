// Any bytes as a frame: refused as corrupt, or a chunk that comes back from a frame of our own. Any bytes as
// a chunk: they come back, whatever the compression level or the dictionary.
#include <string>

#include "dictionaries.h"
#include "kvs/codec/frame.h"
#include "require.h"

using namespace kvs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view bytes = AsText(data, size);
    static FrameCodec codec;
    static Dictionaries dictionaries;
    Result<std::string> raw = codec.Decode(bytes, &dictionaries);
    if (raw.ok()) {
        Require(raw.value().size() <= kMaxRawChunkSize);
        Require(codec.Decode(codec.Encode(raw.value())).OrThrow() == raw.value());
    } else {
        Require(raw.error().code() == ErrorCode::kCorruption);
    }
    FrameDictionary(bytes);
    for (int level : {0, 1, 9}) {
        std::string frame = codec.Encode(bytes, level);
        Require(frame.size() <= bytes.size() + 1);
        Require(codec.Decode(frame).OrThrow() == bytes);
        for (const auto& [id, dictionary] : dictionaries.dictionaries) {
            Require(codec.Decode(codec.Encode(bytes, level, &dictionary), &dictionaries).OrThrow() == bytes);
        }
    }
    return 0;
}
