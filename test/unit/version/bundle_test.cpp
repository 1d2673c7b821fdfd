#include "kvs/version/bundle.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "kvs/local/openssl_hasher.h"

namespace kvs {
namespace {

Hash Filled(uint8_t byte) {
    Hash hash;
    hash.bytes.fill(byte);
    return hash;
}

// A record with bytes of its own.
struct Record {
    BundleRecord::Kind kind;
    std::string bytes;
    Hash hash;

    bool operator==(const Record&) const = default;
};

// Reads parts until one is refused.
struct ReadBack {
    std::vector<Record> records;
    std::optional<Error> error;
    bool complete = false;

    explicit ReadBack(const std::vector<std::string>& parts) {
        OpenSslHasher hasher;
        BundleReader reader(hasher);
        for (const std::string& part : parts) {
            const Status status = reader.ReadPart(part, [&](const BundleRecord& record) {
                records.push_back({record.kind, std::string(record.bytes), record.hash});
            });
            if (!status.ok()) {
                error = status.error();
                return;
            }
        }
        complete = reader.IsComplete();
    }
};

// Three parts: prerequisites and a chunk, a commit, the head.
std::vector<std::string> Sample() {
    OpenSslHasher hasher;
    BundleWriter writer(hasher);
    std::vector<std::string> parts;
    writer.AddPrerequisite(Filled(1));
    writer.AddPrerequisite(Filled(2));
    writer.AddChunk("a frame");
    parts.push_back(writer.TakePart());
    writer.AddCommit("a commit");
    parts.push_back(writer.TakePart());
    writer.AddHead("main", Filled(3));
    parts.push_back(writer.TakePart());
    return parts;
}

const std::vector<Record> kSampleRecords = {
    {BundleRecord::Kind::kPrerequisite, "", Filled(1)}, {BundleRecord::Kind::kPrerequisite, "", Filled(2)},
    {BundleRecord::Kind::kChunk, "a frame", {}},        {BundleRecord::Kind::kCommit, "a commit", {}},
    {BundleRecord::Kind::kHead, "main", Filled(3)},
};

TEST(Bundle, ReadsWhatWasWritten) {
    const ReadBack read(Sample());
    EXPECT_FALSE(read.error);
    EXPECT_TRUE(read.complete);
    EXPECT_EQ(read.records, kSampleRecords);
}

// The bytes as the header of bundle.h describes them, put together by hand.
TEST(Bundle, GoldenBytes) {
    const std::string content =
        std::string("kvs bundle\x01\x00", 12) + "\x04\x04main" + std::string(32, '\x03');
    OpenSslHasher hasher;
    const Hash digest = hasher.Sha256("kvs bundle part" + std::string(32, '\0') + content);
    BundleWriter writer(hasher);
    writer.AddHead("main", Filled(3));
    EXPECT_EQ(writer.TakePart(), content + std::string(digest.AsBytes()));
}

TEST(Bundle, PartsAreClosedAtTheirSize) {
    OpenSslHasher hasher;
    BundleWriter writer(hasher);
    writer.AddChunk(std::string(kBundlePartSize / 2, 'x'));
    EXPECT_FALSE(writer.IsPartFull());
    writer.AddChunk(std::string(kBundlePartSize / 2, 'x'));
    EXPECT_TRUE(writer.IsPartFull());
    writer.TakePart();
    EXPECT_FALSE(writer.IsPartFull());
}

TEST(Bundle, IsNotCompleteWithoutItsHead) {
    std::vector<std::string> parts = Sample();
    parts.pop_back();
    const ReadBack read(parts);
    EXPECT_FALSE(read.error);
    EXPECT_FALSE(read.complete);
}

TEST(Bundle, RefusesPartsInAnotherOrder) {
    std::vector<std::string> parts = Sample();
    std::swap(parts[0], parts[1]);
    EXPECT_EQ(ReadBack(parts).error->code(), ErrorCode::kCorruption);
    EXPECT_EQ(ReadBack({Sample()[0], Sample()[2]}).error->code(), ErrorCode::kCorruption);
    EXPECT_EQ(ReadBack({Sample()[0], Sample()[0]}).error->code(), ErrorCode::kCorruption);
}

TEST(Bundle, RefusesAPartOfAnotherBundle) {
    OpenSslHasher hasher;
    BundleWriter other(hasher);
    other.TakePart();
    other.AddCommit("another commit");
    std::vector<std::string> parts = Sample();
    parts[1] = other.TakePart();
    EXPECT_EQ(ReadBack(parts).error->code(), ErrorCode::kCorruption);
}

TEST(Bundle, RefusesWhatComesAfterTheHead) {
    OpenSslHasher hasher;
    BundleWriter writer(hasher);
    writer.AddHead("main", Filled(3));
    const std::string first = writer.TakePart();
    writer.AddChunk("late");
    EXPECT_EQ(ReadBack({first, writer.TakePart()}).error->code(), ErrorCode::kCorruption);
    BundleWriter same_part(hasher);
    same_part.AddHead("main", Filled(3));
    same_part.AddChunk("late");
    EXPECT_EQ(ReadBack({same_part.TakePart()}).error->code(), ErrorCode::kCorruption);
}

TEST(Bundle, RefusesAPrerequisiteBehindOtherRecords) {
    OpenSslHasher hasher;
    BundleWriter writer(hasher);
    writer.AddChunk("a frame");
    writer.AddPrerequisite(Filled(1));
    EXPECT_EQ(ReadBack({writer.TakePart()}).error->code(), ErrorCode::kCorruption);
}

TEST(Bundle, RefusesAnotherVersion) {
    std::vector<std::string> parts = Sample();
    parts[0][10] = '\x02';
    EXPECT_EQ(ReadBack(parts).error->code(), ErrorCode::kInvalidArgument);
}

RC_GTEST_PROP(Bundle, EveryFlippedBitIsFound, ()) {
    std::vector<std::string> parts = Sample();
    std::string& part = parts[*rc::gen::inRange<size_t>(0, parts.size())];
    const auto byte = *rc::gen::inRange<size_t>(0, part.size());
    part[byte] = static_cast<char>(part[byte] ^ (1 << *rc::gen::inRange(0, 8)));
    RC_ASSERT(ReadBack(parts).error.has_value());
}

RC_GTEST_PROP(Bundle, EveryTruncationIsFound, ()) {
    std::vector<std::string> parts = Sample();
    std::string& part = parts[*rc::gen::inRange<size_t>(0, parts.size())];
    part.resize(*rc::gen::inRange<size_t>(0, part.size()));
    RC_ASSERT(ReadBack(parts).error.has_value());
}

}  // namespace
}  // namespace kvs
