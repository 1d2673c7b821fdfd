// Deltas and dictionaries: what a frame may refer to, and what is refused.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <random>

#include "kvs/codec/frame.h"
#include "kvs/codec/varint.h"

namespace kvs {
namespace {

Hash Address(uint8_t n) {
    Hash address;
    address.bytes.fill(n);
    return address;
}

struct MapBases : BaseSource {
    std::map<Hash, Base> bases;
    int reads = 0;

    std::optional<Base> FindBase(const Hash& address) override {
        reads++;
        const auto found = bases.find(address);
        return found == bases.end() ? std::nullopt : std::optional<Base>(found->second);
    }
};

struct MapDictionaries : DictionarySource {
    std::map<uint32_t, Dictionary> dictionaries;

    const Dictionary* FindDictionary(uint32_t id) override {
        const auto found = dictionaries.find(id);
        return found == dictionaries.end() ? nullptr : &found->second;
    }
};

// A chunk of documents, of which each version changes one.
std::string Document(uint32_t seed) {
    std::mt19937 random(seed);
    return "{\"name\": \"user " + std::to_string(random()) + "\", \"role\": \"editor\", \"token\": \"" +
           std::to_string(random()) + std::to_string(random()) + "\"}";
}
std::string Version(uint32_t version) {
    std::string raw("\x01\x00", 2);
    for (uint32_t i = 0; i < 30; i++) {
        raw += Document(i == version % 30 ? 1000 + version : i);
    }
    return raw;
}

// `links` versions: 0 is whole, each further one a delta against the one before, of depth 1 and up.
MapBases Chain(int links) {
    MapBases bases;
    FrameCodec codec;
    for (int i = 0; i < links; i++) {
        const std::string frame = i == 0
                                      ? codec.Encode(Version(0))
                                      : codec.EncodeDelta(Version(i), Version(i - 1), {Address(i - 1), i}, 6);
        bases.bases[Address(i)] = {frame};
    }
    return bases;
}

Result<std::string> Decode(std::string_view frame, MapBases* bases, MapDictionaries* dictionaries = nullptr) {
    return FrameCodec().Decode(frame, {dictionaries, bases});
}

void ExpectCorrupt(const Result<std::string>& raw, std::string_view part) {
    ASSERT_FALSE(raw.ok());
    EXPECT_EQ(raw.error().code(), ErrorCode::kCorruption);
    EXPECT_NE(std::string_view(raw.error().what()).find(part), std::string_view::npos) << raw.error().what();
}

TEST(Delta, HoldsWhatDiffers) {
    const std::string old_raw = Version(1);
    const std::string new_raw = Version(2);
    FrameCodec codec;
    const DeltaLink link{Address(7), 1};
    const std::string frame = codec.EncodeDelta(old_raw, new_raw, link, 6);
    EXPECT_LT(frame.size(), 250u);
    EXPECT_LT(frame.size() * 4, codec.Encode(old_raw).size());
    EXPECT_EQ(frame[0], 3);
    EXPECT_EQ(FrameBase(frame), Address(7));
    EXPECT_EQ(FrameDepth(frame), 1);
    EXPECT_EQ(FrameBase(frame.substr(0, kMaxFrameHeadSize)), Address(7));
    EXPECT_EQ(FrameDictionary(frame), std::nullopt);

    MapBases bases;
    bases.bases[Address(7)] = {codec.Encode(new_raw)};
    EXPECT_EQ(codec.Decode(frame, {nullptr, &bases}).OrThrow(), old_raw);
    bases.bases[Address(7)] = {codec.Encode(new_raw, 0)};
    EXPECT_EQ(codec.Decode(frame, {nullptr, &bases}).OrThrow(), old_raw);
    bases.bases[Address(7)] = {new_raw, true, 0};
    EXPECT_EQ(codec.Decode(frame, {nullptr, &bases}).OrThrow(), old_raw);
    // The codec is as good as new.
    EXPECT_EQ(codec.Decode(codec.Encode(old_raw)).OrThrow(), old_raw);
}

TEST(Delta, OtherFramesHaveNoBase) {
    for (const std::string& frame : {std::string(), EncodeFrame("abc"), EncodeFrame(Version(1)),
                                     std::string("\x03"), std::string(kMaxFrameHeadSize - 1, '\x03')}) {
        EXPECT_EQ(FrameBase(frame), std::nullopt);
        EXPECT_EQ(FrameDepth(frame), 0);
    }
}

TEST(Delta, ChainsAreFollowed) {
    MapBases bases = Chain(kMaxDeltaDepth + 1);
    for (int i = 0; i <= kMaxDeltaDepth; i++) {
        bases.reads = 0;
        EXPECT_EQ(Decode(bases.bases[Address(i)].bytes, &bases).OrThrow(), Version(i)) << i;
        EXPECT_EQ(bases.reads, i);
    }
    EXPECT_THROW(FrameCodec().EncodeDelta("a", "b", {Address(1), kMaxDeltaDepth + 1}, 6), Error);
    EXPECT_THROW(FrameCodec().EncodeDelta("a", "b", {Address(1), 0}, 6), Error);
}

TEST(Delta, DepthsMayLeaveGaps) {
    MapBases bases = Chain(2);
    const std::string frame = FrameCodec().EncodeDelta(Version(5), Version(1), {Address(1), 30}, 6);
    EXPECT_EQ(Decode(frame, &bases).OrThrow(), Version(5));
}

TEST(Delta, DepthsMustDescend) {
    MapBases bases = Chain(3);
    const auto with_depth = [](std::string frame, int depth) {
        frame[1 + Hash::kSize] = static_cast<char>(depth);
        return frame;
    };
    const std::string frame = bases.bases[Address(2)].bytes;
    for (const int depth : {0, 1, kMaxDeltaDepth + 1, 255}) {
        ExpectCorrupt(Decode(with_depth(frame, depth), &bases), "do not descend");
    }
    EXPECT_TRUE(Decode(with_depth(frame, kMaxDeltaDepth), &bases).ok());
    // Also where the base is at hand as a raw chunk.
    bases.bases[Address(1)] = {Version(1), true, 2};
    ExpectCorrupt(Decode(frame, &bases), "do not descend");
    bases.bases[Address(1)] = {Version(1), true, 1};
    EXPECT_TRUE(Decode(frame, &bases).ok());
}

TEST(Delta, CyclesEnd) {
    MapBases bases;
    FrameCodec codec;
    for (int i = 0; i < 3; i++) {
        bases.bases[Address(i)] = {
            codec.EncodeDelta(Version(i), Version(i + 1), {Address((i + 1) % 3), 3 - i}, 6)};
    }
    bases.bases[Address(9)] = {codec.EncodeDelta(Version(9), Version(9), {Address(9), 9}, 6)};
    for (const int i : {0, 1, 2, 9}) {
        bases.reads = 0;
        ExpectCorrupt(Decode(bases.bases[Address(i)].bytes, &bases), "do not descend");
        EXPECT_LE(bases.reads, 3);
    }
}

TEST(Delta, NeedsItsBase) {
    MapBases bases = Chain(3);
    const std::string frame = bases.bases[Address(2)].bytes;
    ExpectCorrupt(DecodeFrame(frame), Address(1).ToHex() + " is missing");
    bases.bases.erase(Address(0));
    ExpectCorrupt(Decode(frame, &bases), Address(0).ToHex() + " is missing");
    bases.bases[Address(0)] = {std::string()};
    ExpectCorrupt(Decode(frame, &bases), "it is empty");
    bases.bases[Address(0)] = {"\x03"};
    ExpectCorrupt(Decode(frame, &bases), "ends too early");
    bases.bases[Address(0)] = {"\x07whatever"};
    ExpectCorrupt(Decode(frame, &bases), "codec is unknown");
}

TEST(Delta, AWrongBaseIsNoCrash) {
    MapBases bases;
    const std::string frame = FrameCodec().EncodeDelta(Version(1), Version(2), {Address(0), 1}, 6);
    for (const std::string& base : {std::string(), std::string("x"), Version(3), std::string(100000, 'z')}) {
        bases.bases[Address(0)] = {base, true, 0};
        const Result<std::string> raw = Decode(frame, &bases);
        EXPECT_TRUE(!raw.ok() || raw.value() != Version(1));
    }
}

TEST(Delta, RefusesEveryTruncationAndHostileSizes) {
    MapBases bases = Chain(2);
    const std::string frame = bases.bases[Address(1)].bytes;
    for (size_t size = 0; size < frame.size(); size++) {
        EXPECT_FALSE(Decode(std::string_view(frame).substr(0, size), &bases).ok()) << size;
    }
    EXPECT_FALSE(Decode(frame + "x", &bases).ok());
    for (const uint32_t size : {0u, 1u, static_cast<uint32_t>(kMaxDeltaChunkSize) + 1, 0xffffffffu}) {
        std::string hostile = frame;
        WriteFixed(hostile.data() + 1 + Hash::kSize + 1, size);
        ExpectCorrupt(Decode(hostile, &bases), "size");
    }
}

TEST(Delta, TheLimit) {
    const std::string largest(kMaxDeltaChunkSize, 'x');
    const std::string one_more = largest + 'x';
    MapBases bases;
    bases.bases[Address(0)] = {largest, true, 0};
    FrameCodec codec;
    const std::string frame = codec.EncodeDelta(largest, largest, {Address(0), 1}, 6);
    EXPECT_LT(frame.size(), 200u);
    EXPECT_EQ(Decode(frame, &bases).OrThrow(), largest);
    EXPECT_THROW(codec.EncodeDelta(one_more, largest, {Address(0), 1}, 6), Error);
    EXPECT_THROW(codec.EncodeDelta(largest, one_more, {Address(0), 1}, 6), Error);
}

RC_GTEST_PROP(Delta, RoundTrip, (const std::string& raw, const std::string& base)) {
    const int level = *rc::gen::inRange(-3, 20);
    MapBases bases;
    bases.bases[Address(0)] = {base, true, 0};
    const std::string frame = FrameCodec().EncodeDelta(raw, base, {Address(0), 1}, level);
    RC_ASSERT(Decode(frame, &bases).OrThrow() == raw);
}

RC_GTEST_PROP(Delta, NeverCrashesOnDamage, (uint32_t version)) {
    MapBases bases = Chain(4);
    std::string frame = FrameCodec().EncodeDelta(Version(version), Version(3), {Address(3), 20}, 6);
    std::string& target = *rc::gen::inRange(0, 2) == 0 ? frame : bases.bases[Address(2)].bytes;
    const size_t position = *rc::gen::inRange<size_t>(0, target.size());
    target[position] = static_cast<char>(target[position] ^ (1 << *rc::gen::inRange(0, 8)));
    const Result<std::string> raw = Decode(frame, &bases);
    RC_ASSERT((raw.ok() || raw.error().code() == ErrorCode::kCorruption));
}

std::vector<std::string> Samples(uint32_t first, size_t count) {
    std::vector<std::string> samples;
    for (uint32_t i = first; i < first + count; i++) {
        std::string raw("\x01\x00", 2);
        for (uint32_t j = 0; j < 5; j++) {
            raw += Document(i * 5 + j);
        }
        samples.push_back(raw);
    }
    return samples;
}

Dictionary Trained(uint32_t id, uint32_t first = 0) {
    std::optional<std::string> bytes = TrainDictionary(Samples(first, 300), 8192);
    EXPECT_TRUE(bytes);
    return Dictionary(id, bytes.value_or(""));
}

TEST(TrainedDictionary, SavesWhatChunksShare) {
    MapDictionaries source;
    source.dictionaries.emplace(70000, Trained(70000));
    const Dictionary& dictionary = source.dictionaries.at(70000);
    FrameCodec codec;
    size_t with = 0;
    size_t without = 0;
    for (const std::string& raw : Samples(5000, 50)) {
        for (const int level : {-5, 1, 3, 19}) {
            const std::string frame = codec.Encode(raw, level, &dictionary);
            ASSERT_EQ(FrameDictionary(frame), 70000u);
            ASSERT_EQ(codec.Decode(frame, {&source, nullptr}).OrThrow(), raw);
        }
        with += codec.Encode(raw, 3, &dictionary).size();
        without += codec.Encode(raw, 3).size();
        EXPECT_EQ(codec.Decode(codec.Encode(raw)).OrThrow(), raw);
    }
    EXPECT_LT(with * 10, without * 9);
    EXPECT_GT(dictionary.MemorySize(), dictionary.bytes().size());
}

TEST(TrainedDictionary, IsNotUsedWhereItDoesNotPay) {
    const Dictionary dictionary = Trained(1);
    EXPECT_EQ(FrameDictionary(FrameCodec().Encode("abc", 3, &dictionary)), std::nullopt);
    EXPECT_EQ(FrameDictionary(FrameCodec().Encode(Samples(0, 1)[0], 0, &dictionary)), std::nullopt);
    const std::string large(kMaxDictionaryChunkSize + 1, 'x');
    EXPECT_EQ(FrameDictionary(FrameCodec().Encode(large, 3, &dictionary)), std::nullopt);
}

TEST(TrainedDictionary, IsNeededToDecode) {
    MapDictionaries source;
    source.dictionaries.emplace(1, Trained(1));
    source.dictionaries.emplace(2, Trained(2, 9000));
    source.dictionaries.emplace(3, Dictionary(3, "no dictionary at all"));
    source.dictionaries.emplace(
        4, Dictionary(4, std::string("\x37\xa4\x30\xec garbage behind the magic number", 36)));
    const std::string raw = Samples(5000, 1)[0];
    std::string frame = FrameCodec().Encode(raw, 3, &source.dictionaries.at(1));
    ExpectCorrupt(DecodeFrame(frame), "dictionary 1 is missing");
    EXPECT_EQ(Decode(frame, nullptr, &source).OrThrow(), raw);
    WriteFixed(frame.data() + 1, uint32_t{77});
    ExpectCorrupt(Decode(frame, nullptr, &source), "dictionary 77 is missing");
    WriteFixed(frame.data() + 1, uint32_t{4});
    ExpectCorrupt(Decode(frame, nullptr, &source), "dictionary 4 is damaged");
    // Another one: an error, or other bytes, which do not hash to the address.
    for (const uint32_t other : {2u, 3u}) {
        WriteFixed(frame.data() + 1, other);
        const Result<std::string> wrong = Decode(frame, nullptr, &source);
        EXPECT_TRUE(!wrong.ok() || wrong.value() != raw);
    }
}

TEST(TrainedDictionary, MayBeTheBaseOfAChain) {
    MapDictionaries dictionaries;
    dictionaries.dictionaries.emplace(1, Trained(1));
    MapBases bases;
    FrameCodec codec;
    bases.bases[Address(0)] = {codec.Encode(Version(0), 3, &dictionaries.dictionaries.at(1))};
    ASSERT_EQ(FrameDictionary(bases.bases[Address(0)].bytes), 1u);
    const std::string frame = codec.EncodeDelta(Version(1), Version(0), {Address(0), 1}, 6);
    EXPECT_EQ(Decode(frame, &bases, &dictionaries).OrThrow(), Version(1));
    ExpectCorrupt(Decode(frame, &bases), "dictionary 1 is missing");
}

TEST(TrainedDictionary, NeedsSamples) {
    EXPECT_EQ(TrainDictionary({}, 8192), std::nullopt);
    EXPECT_EQ(TrainDictionary({"one"}, 8192), std::nullopt);
    EXPECT_EQ(TrainDictionary(Samples(0, 300), 10), std::nullopt);
}

TEST(TrainedDictionary, ClassesAreTold) {
    EXPECT_EQ(ClassOfChunk(""), std::nullopt);
    EXPECT_EQ(ClassOfChunk("\x01"), std::nullopt);
    EXPECT_EQ(ClassOfChunk(std::string_view("\x01\x00", 2)), ChunkClass::kLeaf);
    EXPECT_EQ(ClassOfChunk("\x01\x01"), ChunkClass::kInternal);
    EXPECT_EQ(ClassOfChunk("\x01\x3f"), ChunkClass::kInternal);
    EXPECT_EQ(ClassOfChunk("\x01\xff"), ChunkClass::kBlob);
    EXPECT_STREQ(ChunkClassName(ChunkClass::kLeaf), "leaf");
    EXPECT_STREQ(ChunkClassName(ChunkClass::kInternal), "internal");
    EXPECT_STREQ(ChunkClassName(ChunkClass::kBlob), "blob");
}

}  // namespace
}  // namespace kvs
