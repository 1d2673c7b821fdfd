#include "kvs/codec/pack.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "documents.h"
#include "kvs/codec/frame.h"
#include "kvs/codec/varint.h"
#include "random_bytes.h"

namespace kvs {
namespace {

Pack Versions(uint32_t first, uint32_t count) {
    Pack pack;
    for (uint32_t i = first; i < first + count; i++) {
        pack.Add(Version(i));
    }
    return pack;
}

void ExpectSame(const Pack& pack, const Pack& expected) {
    ASSERT_EQ(pack.count(), expected.count());
    for (size_t i = 0; i < pack.count(); i++) {
        ASSERT_EQ(pack.Member(i), expected.Member(i)) << i;
    }
}

TEST(Pack, HoldsWhatVersionsHaveInCommonOnce) {
    const Pack pack = Versions(0, 20);
    PackCodec codec;
    const std::string bytes = codec.Encode(pack, 3);
    size_t apart = 0;
    for (uint32_t i = 0; i < 20; i++) {
        apart += EncodeFrame(Version(i)).size();
    }
    EXPECT_LT(bytes.size() * 4, apart);
    ExpectSame(codec.Decode(bytes).OrThrow(), pack);
    const std::vector<uint32_t> sizes = PackCodec::ReadSizes(bytes).OrThrow();
    ASSERT_EQ(sizes.size(), 20u);
    for (uint32_t i = 0; i < 20; i++) {
        EXPECT_EQ(sizes[i], Version(i).size());
    }
}

TEST(Pack, MembersMayBeOfAnySize) {
    for (const size_t size : {size_t{1}, size_t{2}, size_t{127}, size_t{128}, size_t{1} << 20}) {
        Pack pack;
        pack.Add(RandomBytes(size, 1));
        pack.Add(RandomBytes(3, 2));
        pack.Add(RandomBytes(size, 1));
        PackCodec codec;
        ExpectSame(codec.Decode(codec.Encode(pack, 3)).OrThrow(), pack);
    }
}

// A version of a large value is found however far back it lies.
TEST(Pack, LargeMembersResembleOneAnother) {
    Pack pack;
    std::string large = RandomBytes(600000, 7);
    for (int i = 0; i < 6; i++) {
        large[static_cast<size_t>(i) * 1000] ^= 1;
        pack.Add(large);
    }
    PackCodec codec;
    const std::string bytes = codec.Encode(pack, 3);
    EXPECT_LT(bytes.size(), 610000u);
    ExpectSame(codec.Decode(bytes).OrThrow(), pack);
}

TEST(Pack, Limits) {
    Pack pack;
    EXPECT_THROW(pack.Add(""), Error);
    for (size_t i = 0; i < kMaxPackMembers; i++) {
        ASSERT_TRUE(pack.HasRoomFor(1));
        pack.Add("x");
    }
    EXPECT_FALSE(pack.HasRoomFor(1));
    EXPECT_THROW(pack.Add("x"), Error);
    PackCodec codec;
    ExpectSame(codec.Decode(codec.Encode(pack, 3)).OrThrow(), pack);

    Pack large;
    large.Add(std::string(kMaxPackRawSize, 'x'));
    EXPECT_FALSE(large.HasRoomFor(1));
    EXPECT_THROW(large.Add("x"), Error);
    EXPECT_THROW(Pack().Add(std::string(kMaxPackRawSize + 1, 'x')), Error);
    ExpectSame(codec.Decode(codec.Encode(large, 3)).OrThrow(), large);
    EXPECT_THROW(codec.Encode(Pack(), 3), Error);
}

TEST(Pack, WithADictionary) {
    MapDictionaries source;
    source.dictionaries.emplace(70000, Trained(70000));
    Pack pack;
    pack.Add(Samples(5000, 1)[0]);
    pack.Add(Samples(5001, 1)[0]);
    PackCodec codec;
    for (const int level : {1, 3, 19}) {
        const std::string bytes = codec.Encode(pack, level, &source.dictionaries.at(70000));
        EXPECT_LT(bytes.size(), codec.Encode(pack, level).size());
        ExpectSame(codec.Decode(bytes, &source).OrThrow(), pack);
        ExpectCorrupt(codec.Decode(bytes), "dictionary 70000 is missing");
        // The codec is as good as new.
        ExpectSame(codec.Decode(codec.Encode(pack, level)).OrThrow(), pack);
    }
    source.dictionaries.emplace(
        4, Dictionary(4, std::string("\x37\xa4\x30\xec garbage behind the magic number", 36)));
    std::string bytes = codec.Encode(pack, 3, &source.dictionaries.at(70000));
    WriteFixed(bytes.data() + 5, uint32_t{4});
    ExpectCorrupt(codec.Decode(bytes, &source), "dictionary 4 is damaged");
}

TEST(Pack, RefusesEveryTruncation) {
    PackCodec codec;
    const std::string bytes = codec.Encode(Versions(0, 5), 3);
    for (size_t size = 0; size < bytes.size(); size++) {
        EXPECT_FALSE(codec.Decode(std::string_view(bytes).substr(0, size)).ok()) << size;
    }
    EXPECT_FALSE(codec.Decode(bytes + "x").ok());
}

TEST(Pack, RefusesWrongHeads) {
    PackCodec codec;
    const std::string bytes = codec.Encode(Versions(0, 3), 3);
    const auto with = [&](size_t at, char value) {
        std::string changed = bytes;
        changed[at] = value;
        return codec.Decode(changed);
    };
    ExpectCorrupt(codec.Decode(""), "it is empty");
    ExpectCorrupt(with(0, 0), "codec is unknown");
    ExpectCorrupt(with(0, 3), "codec is unknown");
    ExpectCorrupt(with(1, static_cast<char>(bytes[1] + 1)), "sizes differ");
    ExpectCorrupt(with(4, 127), "size is impossible");
    ExpectCorrupt(with(5, 0), "size is impossible");
    EXPECT_FALSE(with(5, 2).ok());
    EXPECT_FALSE(with(5, 4).ok());
    ExpectCorrupt(with(6, static_cast<char>(bytes[6] ^ 1)), "sizes differ");
    // A size that the compressed bytes cannot yield takes no memory.
    std::string hostile("\x01\x00\x00\x40\x00\x01\x80\x80\x80\x02", 10);
    ExpectCorrupt(codec.Decode(hostile + "abcd"), "size is impossible");
    ExpectCorrupt(PackCodec::ReadSizes(hostile.substr(0, 8)), "ends too early");
}

TEST(Pack, DamageIsNoCrash) {
    PackCodec codec;
    const std::string bytes = codec.Encode(Versions(0, 8), 3);
    for (size_t i = 0; i < bytes.size(); i++) {
        for (const int bit : {0, 3, 7}) {
            std::string damaged = bytes;
            damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
            const Result<Pack> decoded = codec.Decode(damaged);
            // Or members that do not hash to their addresses; or, where a bit means nothing, the same.
            EXPECT_TRUE(decoded.ok() || decoded.error().code() == ErrorCode::kCorruption) << i;
        }
    }
}

RC_GTEST_PROP(Pack, RoundTrip, ()) {
    const auto members = *rc::gen::nonEmpty<std::vector<std::string>>();
    Pack pack;
    for (const std::string& member : members) {
        if (pack.HasRoomFor(member.size())) {
            pack.Add(member);
        }
    }
    RC_PRE(pack.count() > 0);
    PackCodec codec;
    const std::string bytes = codec.Encode(pack, *rc::gen::inRange(1, 20));
    const Pack decoded = codec.Decode(bytes).OrThrow();
    RC_ASSERT(decoded.count() == pack.count());
    for (size_t i = 0; i < pack.count(); i++) {
        RC_ASSERT(decoded.Member(i) == pack.Member(i));
    }
}

}  // namespace
}  // namespace kvs
