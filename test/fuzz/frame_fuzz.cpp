// Any bytes as a frame: refused as corrupt, or a chunk that comes back from a frame of our own. Any bytes as
// a chunk: they come back, whatever the compression level, the base or the dictionary.
#include <map>
#include <string>

#include "kvs/codec/frame.h"
#include "require.h"

namespace {

using namespace kvs;

// Bases by the first byte of their address: none, raw bytes, the frame itself (a cycle), another frame.
struct Bases : BaseSource {
    std::string_view frame;

    std::optional<Base> FindBase(const Hash& address) override {
        switch (address.bytes[0] % 4) {
            case 0:
                return std::nullopt;
            case 1:
                return Base{std::string(frame), true, address.bytes[1]};
            case 2:
                return Base{std::string(frame)};
            default:
                return Base{EncodeFrame(std::string(1000, 'b') + "the base of a delta")};
        }
    }
};

// 1 is trained, 2 is bytes of any kind.
struct Dictionaries : DictionarySource {
    std::map<uint32_t, Dictionary> dictionaries;

    Dictionaries() {
        std::vector<std::string> samples;
        for (int i = 0; i < 300; i++) {
            samples.push_back("{\"user\": " + std::to_string(i * 7919) +
                              ", \"role\": \"editor\", \"n\": [1, 2, " + std::to_string(i) + "]}");
        }
        dictionaries.emplace(1, Dictionary(1, TrainDictionary(samples, 4096).value()));
        dictionaries.emplace(2, Dictionary(2, "a dictionary without a header"));
    }

    const Dictionary* FindDictionary(uint32_t id) override {
        const auto found = dictionaries.find(id);
        return found == dictionaries.end() ? nullptr : &found->second;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view bytes = AsText(data, size);
    static FrameCodec codec;
    static Dictionaries dictionaries;
    Bases bases;
    bases.frame = bytes;
    const FrameCodec::Sources sources{&dictionaries, &bases};
    Result<std::string> raw = codec.Decode(bytes, sources);
    if (raw.ok()) {
        Require(raw.value().size() <= kMaxRawChunkSize);
        Require(codec.Decode(codec.Encode(raw.value())).OrThrow() == raw.value());
    } else {
        Require(raw.error().code() == ErrorCode::kCorruption);
    }
    Require(FrameDelta(bytes).has_value() == FrameBase(bytes).has_value());
    FrameDictionary(bytes);
    for (int level : {0, 1, 9}) {
        std::string frame = codec.Encode(bytes, level);
        Require(frame.size() <= bytes.size() + 1);
        Require(codec.Decode(frame).OrThrow() == bytes);
        for (const auto& [id, dictionary] : dictionaries.dictionaries) {
            Require(codec.Decode(codec.Encode(bytes, level, &dictionary), sources).OrThrow() == bytes);
        }
    }
    if (size > 0 && size <= kMaxDeltaChunkSize) {
        const std::string_view base = bytes.substr(0, size / 2);
        Hash address;
        address.bytes[0] = 1;
        bases.frame = base;
        const std::string frame =
            codec.EncodeDelta(bytes.substr(size / 2), base, {address, 1 + data[0] % kMaxDeltaDepth}, 3);
        Require(codec.Decode(frame, sources).OrThrow() == bytes.substr(size / 2));
    }
    return 0;
}
