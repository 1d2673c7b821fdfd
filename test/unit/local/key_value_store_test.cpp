#include "kvs/local/key_value_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "store_test_support.h"

namespace kvs {
namespace {

using test::CodeOf;
using test::Document;
using test::Expecting;
using testing::_;
using testing::InSequence;
using testing::Return;
using testing::StrictMock;
using testing::Throw;

class MockStorage : public CoreStorage {
  public:
    MOCK_METHOD(std::optional<StoredEntry>, Get, (const std::string&), (override));
    MOCK_METHOD(std::optional<StoredEntry>, Update, (const std::string&, const Change&), (override));
    MOCK_METHOD(void, Scan, (std::string_view, std::optional<std::string_view>, const Visitor&), (override));
    MOCK_METHOD(std::vector<std::string>, Keys, (), (override));
    MOCK_METHOD(std::vector<StoredEntry>, History, (const std::string&, size_t), (override));
};

class MockMetadata : public MetadataService {
  public:
    MOCK_METHOD(WriteDecision, Decide, (std::string_view, const Previous&, const WriteRequest&),
                (const, override));
};

class MockHashing : public HashingService {
  public:
    MOCK_METHOD(Hash, CalculateDataHash, (const Value&), (const, override));
};

class MockPatching : public PatchService {
  public:
    MOCK_METHOD(Value, Apply, (const Value*, std::string_view), (const, override));
};

class MockLocks : public LockManager {
  public:
    MOCK_METHOD(void, WithLock, (const std::string&, const std::function<void()>&), (override));
};

class MockKeys : public KeyService {
  public:
    MOCK_METHOD(std::string, Serialize, (const StoreKey&), (const, override));
    MOCK_METHOD(StoreKey, Parse, (std::string_view), (const, override));
    MOCK_METHOD(std::string, NamespacePath, (std::string_view), (const, override));
};

class MockClock : public Clock {
  public:
    MOCK_METHOD(Timestamp, Now, (), (override));
};

using Outcome = WriteDecision::Outcome;

constexpr Timestamp kNow = 1000;
const ChangeId kChange{{7}, 12};

// Strict mocks in one sequence: a call too many, too few or out of order fails the test. The answers of the
// services are arbitrary, so that nothing but passing them on gives the expected entry.
class KeyValueStoreTest : public testing::Test {
  protected:
    KeyValueStoreTest() {
        current_.value = Document("old");
        current_.metadata.version = 5;
        made_.version = 77;
        made_.comment = "made by the metadata service";
        made_.change = kChange;
        hash_.bytes[0] = 0x5a;
    }

    void ExpectWriteFrame(const StoredEntry* current) {
        EXPECT_CALL(keys_, Serialize(key_)).WillOnce(Return("a/b:c"));
        EXPECT_CALL(keys_, NamespacePath(std::string_view("a/b:c"))).WillOnce(Return("a/b"));
        EXPECT_CALL(locks_, WithLock("a/b", _))
            .WillOnce([](const std::string&, const std::function<void()>& operation) { operation(); });
        EXPECT_CALL(storage_, Update("a/b:c", _))
            .WillOnce([this, current](const std::string&, const CoreStorage::Change& change) {
                return stored_ = change(current, kChange);
            });
        EXPECT_CALL(clock_, Now()).WillOnce(Return(kNow));
    }

    // The metadata service is asked for `kind` and decides on `outcome`.
    void ExpectDecision(WriteKind kind, Outcome outcome, std::optional<Timestamp> expires_at = {}) {
        EXPECT_CALL(metadata_, Decide(std::string_view("a/b:c"), _, _))
            .WillOnce([=, this](std::string_view, const Previous& previous, const WriteRequest& request) {
                EXPECT_EQ(previous.now(), kNow);
                EXPECT_EQ(request.kind, kind);
                asked_ = request;
                found_ = previous.metadata();
                return outcome == Outcome::kNothing ? WriteDecision{}
                                                    : WriteDecision{outcome, expires_at, made_};
            });
    }

    const StoreKey key_{{"a", "b"}, "c"};
    StoredEntry current_;
    Metadata made_;
    Hash hash_;
    std::optional<StoredEntry> stored_;
    WriteRequest asked_;
    const Metadata* found_ = nullptr;

    InSequence sequence_;
    StrictMock<MockStorage> storage_;
    StrictMock<MockMetadata> metadata_;
    StrictMock<MockHashing> hashing_;
    StrictMock<MockPatching> patching_;
    StrictMock<MockLocks> locks_;
    StrictMock<MockKeys> keys_;
    StrictMock<MockClock> clock_;
    KeyValueStore store_{storage_, metadata_, hashing_, patching_, locks_, keys_, clock_};
};

TEST_F(KeyValueStoreTest, GetSerialisesReadsAndJudgesExpiry) {
    EXPECT_CALL(keys_, Serialize(key_)).WillOnce(Return("a/b:c"));
    EXPECT_CALL(storage_, Get("a/b:c")).WillOnce(Return(current_));
    EXPECT_CALL(clock_, Now()).WillOnce(Return(kNow));
    EXPECT_EQ(store_.Get(key_), current_);
}

TEST_F(KeyValueStoreTest, GetHidesTheAbsentTheDeletedAndTheExpired) {
    StoredEntry deleted = current_;
    deleted.metadata.deleted = true;
    StoredEntry expired = current_;
    expired.value.expires_at = kNow;
    for (const std::optional<StoredEntry>& found : {std::optional<StoredEntry>(), {deleted}, {expired}}) {
        EXPECT_CALL(keys_, Serialize(key_)).WillOnce(Return("a/b:c"));
        EXPECT_CALL(storage_, Get("a/b:c")).WillOnce(Return(found));
        if (found.has_value()) {
            EXPECT_CALL(clock_, Now()).WillOnce(Return(kNow));
        }
        EXPECT_FALSE(store_.Get(key_).has_value());
    }
}

TEST_F(KeyValueStoreTest, SetIsSerialiseLockUpdateDecideHash) {
    WriteOptions options;
    options.comment = "passed on";
    ExpectWriteFrame(&current_);
    ExpectDecision(WriteKind::kPut, Outcome::kValue, 7000);
    EXPECT_CALL(hashing_, CalculateDataHash(Document("new", 7000))).WillOnce(Return(hash_));
    const WriteResult result = store_.Set(key_, Document("new", 5000), options);
    EXPECT_EQ(asked_.options.comment, options.comment);
    EXPECT_EQ(asked_.expires_at, 5000);
    EXPECT_EQ(found_, &current_.metadata);
    const StoredEntry expected{Document("new", 7000), made_, hash_, Operation::kSet};
    EXPECT_EQ(stored_, expected);
    EXPECT_EQ(result.entry, expected);
    EXPECT_EQ(result.previous, current_);
}

TEST_F(KeyValueStoreTest, SetOfANewKeyHasNoPrevious) {
    ExpectWriteFrame(nullptr);
    ExpectDecision(WriteKind::kPut, Outcome::kValue);
    EXPECT_CALL(hashing_, CalculateDataHash(_)).WillOnce(Return(hash_));
    EXPECT_FALSE(store_.Set(key_, Document("new"), {}).previous.has_value());
    EXPECT_EQ(found_, nullptr);
}

TEST_F(KeyValueStoreTest, SetOverAnExpiredEntryReplacesNothing) {
    current_.value.expires_at = kNow;
    ExpectWriteFrame(&current_);
    ExpectDecision(WriteKind::kPut, Outcome::kValue);
    EXPECT_CALL(hashing_, CalculateDataHash(_)).WillOnce(Return(hash_));
    EXPECT_FALSE(store_.Set(key_, Document("new"), {}).previous.has_value());
    EXPECT_EQ(found_, &current_.metadata);
}

TEST_F(KeyValueStoreTest, ARefusalEndsTheSequenceBeforeAnyWork) {
    ExpectWriteFrame(&current_);
    EXPECT_CALL(metadata_, Decide(_, _, _)).WillOnce(Throw(Error(ErrorCode::kStaleVersion, "stale")));
    EXPECT_EQ(CodeOf([&] { store_.Set(key_, Document("new"), Expecting(4)); }), ErrorCode::kStaleVersion);
    EXPECT_FALSE(stored_.has_value());
}

TEST_F(KeyValueStoreTest, APatchStartsFromTheCurrentValue) {
    ExpectWriteFrame(&current_);
    ExpectDecision(WriteKind::kPatch, Outcome::kValue, 6000);
    EXPECT_CALL(patching_, Apply(_, std::string_view("delta")))
        .WillOnce([&](const Value* current, std::string_view) {
            EXPECT_EQ(current, &current_.value);
            return Document("patched");
        });
    EXPECT_CALL(hashing_, CalculateDataHash(Document("patched", 6000))).WillOnce(Return(hash_));
    const WriteResult result = store_.Patch(key_, "delta", Expecting(5));
    EXPECT_EQ(asked_.options.expected_version, 5);
    EXPECT_EQ(result.entry, (StoredEntry{Document("patched", 6000), made_, hash_, Operation::kPatch}));
    EXPECT_EQ(stored_, result.entry);
    EXPECT_EQ(result.previous, current_);
}

TEST_F(KeyValueStoreTest, APatchOfATombstoneStartsFromNothing) {
    current_.metadata.deleted = true;
    ExpectWriteFrame(&current_);
    ExpectDecision(WriteKind::kPatch, Outcome::kValue);
    EXPECT_CALL(patching_, Apply(nullptr, _)).WillOnce(Return(Document("patched")));
    EXPECT_CALL(hashing_, CalculateDataHash(_)).WillOnce(Return(hash_));
    EXPECT_FALSE(store_.Patch(key_, "delta", {}).previous.has_value());
}

TEST_F(KeyValueStoreTest, DeleteStoresATombstone) {
    ExpectWriteFrame(&current_);
    ExpectDecision(WriteKind::kDelete, Outcome::kTombstone);
    const std::optional<WriteResult> result = store_.Delete(key_, Expecting(5));
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(asked_.options.expected_version, 5);
    EXPECT_EQ(result->entry, (StoredEntry{Value{}, made_, Hash{}, Operation::kDelete}));
    EXPECT_EQ(stored_, result->entry);
    EXPECT_EQ(result->previous, current_);
}

TEST_F(KeyValueStoreTest, WhatIsDecidedToBeNothingMakesNoChange) {
    ExpectWriteFrame(&current_);
    ExpectDecision(WriteKind::kDelete, Outcome::kNothing);
    EXPECT_FALSE(store_.Delete(key_, {}).has_value());
    EXPECT_FALSE(stored_.has_value());
    ExpectWriteFrame(&current_);
    ExpectDecision(WriteKind::kExpire, Outcome::kNothing);
    EXPECT_FALSE(store_.Expire(key_).has_value());
    EXPECT_FALSE(stored_.has_value());
}

TEST_F(KeyValueStoreTest, ExpireGivesTheEntryWhoseTimeIsOver) {
    current_.value.expires_at = kNow;
    ExpectWriteFrame(&current_);
    ExpectDecision(WriteKind::kExpire, Outcome::kTombstone);
    const std::optional<WriteResult> result = store_.Expire(key_);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->entry, (StoredEntry{Value{}, made_, Hash{}, Operation::kExpire}));
    EXPECT_EQ(result->previous, current_);
}

TEST_F(KeyValueStoreTest, ABadKeyReachesNoOtherService) {
    EXPECT_CALL(keys_, Serialize(key_)).WillOnce(Throw(Error(ErrorCode::kInvalidArgument, "bad key")));
    EXPECT_EQ(CodeOf([&] { store_.Set(key_, Document("new"), {}); }), ErrorCode::kInvalidArgument);
}

TEST_F(KeyValueStoreTest, AServiceThatFailsStopsTheWrite) {
    ExpectWriteFrame(&current_);
    ExpectDecision(WriteKind::kPut, Outcome::kValue);
    EXPECT_CALL(hashing_, CalculateDataHash(_)).WillOnce(Throw(std::runtime_error("no hash")));
    EXPECT_THROW(store_.Set(key_, Document("new"), {}), std::runtime_error);
    EXPECT_FALSE(stored_.has_value());
}

}  // namespace
}  // namespace kvs
