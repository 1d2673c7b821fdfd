// Trained dictionaries: what they save, and what is refused.
#include <gtest/gtest.h>

#include <string>

#include "documents.h"
#include "kvs/codec/frame.h"
#include "kvs/codec/varint.h"

namespace kvs {
namespace {

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
            ASSERT_EQ(codec.Decode(frame, &source).OrThrow(), raw);
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
    EXPECT_EQ(FrameCodec().Decode(frame, &source).OrThrow(), raw);
    WriteFixed(frame.data() + 1, uint32_t{77});
    ExpectCorrupt(FrameCodec().Decode(frame, &source), "dictionary 77 is missing");
    WriteFixed(frame.data() + 1, uint32_t{4});
    ExpectCorrupt(FrameCodec().Decode(frame, &source), "dictionary 4 is damaged");
    // Another one: an error, or other bytes, which do not hash to the address.
    for (const uint32_t other : {2u, 3u}) {
        WriteFixed(frame.data() + 1, other);
        const Result<std::string> wrong = FrameCodec().Decode(frame, &source);
        EXPECT_TRUE(!wrong.ok() || wrong.value() != raw);
    }
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
