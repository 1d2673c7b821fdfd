// Any bytes as a pack: refused as corrupt, or members that come back from a pack of our own. Any bytes as
// members, cut where their first ones say: they come back, whatever the level or the dictionary.
#include <algorithm>
#include <string>

#include "dictionaries.h"
#include "kvs/codec/pack.h"
#include "require.h"

using namespace kvs;

namespace {

void RequireSame(const Pack& a, const Pack& b) {
    Require(a.count() == b.count());
    for (size_t i = 0; i < a.count(); i++) {
        Require(a.Member(i) == b.Member(i));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view bytes = AsText(data, size);
    static PackCodec codec;
    static Dictionaries dictionaries;
    Result<Pack> decoded = codec.Decode(bytes, &dictionaries);
    const Result<std::vector<uint32_t>> sizes = PackCodec::ReadSizes(bytes);
    if (decoded.ok()) {
        Require(decoded.value().raw_size() <= kMaxPackRawSize);
        Require(sizes.ok() && sizes.value().size() == decoded.value().count());
        RequireSame(codec.Decode(codec.Encode(decoded.value(), 1)).OrThrow(), decoded.value());
    } else {
        Require(decoded.error().code() == ErrorCode::kCorruption);
    }
    Pack pack;
    const size_t step = size > 0 ? std::max<size_t>(data[0], 1) : 1;
    for (size_t at = 0; at < size; at += step) {
        const std::string_view member = bytes.substr(at, step);
        if (pack.HasRoomFor(member.size())) {
            pack.Add(member);
        }
    }
    if (pack.count() > 0) {
        RequireSame(codec.Decode(codec.Encode(pack, 3)).OrThrow(), pack);
        for (const auto& [id, dictionary] : dictionaries.dictionaries) {
            RequireSame(codec.Decode(codec.Encode(pack, 3, &dictionary), &dictionaries).OrThrow(), pack);
        }
    }
    return 0;
}
