#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "kvs/local/eventful_key_value_store.h"
#include "kvs/local/local_services.h"
#include "kvs/local/logging_key_value_store.h"
#include "kvs/local/memory_logger.h"
#include "store_test_support.h"

namespace kvs {
namespace {

using test::CodeOf;
using test::Document;
using test::EventLog;
using test::Expecting;
using test::ManualClock;
using testing::_;
using testing::Return;
using testing::StrictMock;
using testing::Throw;

class MockStore : public KeyValueStoreInterface {
  public:
    MOCK_METHOD(std::optional<StoredEntry>, Get, (const StoreKey&), (override));
    MOCK_METHOD(WriteResult, Set, (const StoreKey&, const Value&, const WriteOptions&), (override));
    MOCK_METHOD(WriteResult, Patch, (const StoreKey&, std::string_view, const WriteOptions&), (override));
    MOCK_METHOD(std::optional<WriteResult>, Delete, (const StoreKey&, const WriteOptions&), (override));
    MOCK_METHOD(std::optional<WriteResult>, Expire, (const StoreKey&), (override));
};

MATCHER_P(ExpectsVersion, version, "") {
    return arg.expected_version == version;
}

StoredEntry EntryOf(std::string text, uint64_t version, Operation operation) {
    StoredEntry entry;
    entry.value = Document(std::move(text));
    entry.metadata.version = version;
    entry.metadata.updated_at = static_cast<Timestamp>(version) * 10;
    entry.operation = operation;
    return entry;
}

StoredEntry TombstoneOf(uint64_t version, Operation operation) {
    StoredEntry entry = EntryOf("", version, operation);
    entry.metadata.deleted = true;
    return entry;
}

const StoreKey key{{"a"}, "b"};

class EventfulKeyValueStoreTest : public testing::Test {
  protected:
    StrictMock<MockStore> inner_;
    EventLog events_;
    LocalKeyService keys_;
    EventfulKeyValueStore store_{inner_, events_, keys_};
};

TEST_F(EventfulKeyValueStoreTest, AWriteEmitsTheStateBeforeAndAfter) {
    const WriteResult set{EntryOf("new", 6, Operation::kSet), EntryOf("old", 5, Operation::kSet)};
    EXPECT_CALL(inner_, Set(key, Document("new"), ExpectsVersion(5))).WillOnce(Return(set));
    EXPECT_EQ(store_.Set(key, Document("new"), Expecting(5)).entry, set.entry);
    const WriteResult patch{EntryOf("newer", 7, Operation::kPatch), std::nullopt};
    EXPECT_CALL(inner_, Patch(key, std::string_view("delta"), ExpectsVersion(6))).WillOnce(Return(patch));
    EXPECT_EQ(store_.Patch(key, "delta", Expecting(6)).entry, patch.entry);

    const std::vector<ChangeEvent> events = events_.Events();
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].key, key);
    EXPECT_EQ(events[0].serialized_key, "a:b");
    EXPECT_EQ(events[0].operation, Operation::kSet);
    EXPECT_EQ(events[0].entry, set.entry);
    EXPECT_EQ(events[0].previous, set.previous);
    EXPECT_EQ(events[0].version, 6u);
    EXPECT_EQ(events[0].at, 60);
    EXPECT_EQ(events[1].operation, Operation::kPatch);
    EXPECT_EQ(events[1].entry, patch.entry);
    EXPECT_FALSE(events[1].previous.has_value());
}

TEST_F(EventfulKeyValueStoreTest, ADeleteHasNoStateAfter) {
    const WriteResult deleted{TombstoneOf(6, Operation::kDelete), EntryOf("old", 5, Operation::kSet)};
    EXPECT_CALL(inner_, Delete(key, ExpectsVersion(5))).WillOnce(Return(deleted));
    EXPECT_TRUE(store_.Delete(key, Expecting(5)).has_value());
    const WriteResult expired{TombstoneOf(8, Operation::kExpire), EntryOf("old", 7, Operation::kSet)};
    EXPECT_CALL(inner_, Expire(key)).WillOnce(Return(expired));
    EXPECT_TRUE(store_.Expire(key).has_value());

    const std::vector<ChangeEvent> events = events_.Events();
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].operation, Operation::kDelete);
    EXPECT_FALSE(events[0].entry.has_value());
    EXPECT_EQ(events[0].previous, deleted.previous);
    EXPECT_EQ(events[0].version, 6u);
    EXPECT_EQ(events[1].operation, Operation::kExpire);
    EXPECT_EQ(events[1].version, 8u);
}

TEST_F(EventfulKeyValueStoreTest, WhatChangesNothingEmitsNothing) {
    EXPECT_CALL(inner_, Get(key)).WillOnce(Return(EntryOf("old", 5, Operation::kSet)));
    EXPECT_EQ(store_.Get(key), EntryOf("old", 5, Operation::kSet));
    EXPECT_CALL(inner_, Delete(key, _)).WillOnce(Return(std::nullopt));
    EXPECT_FALSE(store_.Delete(key, {}).has_value());
    EXPECT_CALL(inner_, Expire(key)).WillOnce(Return(std::nullopt));
    EXPECT_FALSE(store_.Expire(key).has_value());
    EXPECT_CALL(inner_, Set(key, _, _)).WillOnce(Throw(Error(ErrorCode::kStaleVersion, "stale")));
    EXPECT_EQ(CodeOf([&] { store_.Set(key, Document("new"), {}); }), ErrorCode::kStaleVersion);
    EXPECT_EQ(CodeOf([&] {
                  store_.Set(StoreKey{{""}, "b"}, Document("new"), {});
              }),
              ErrorCode::kInvalidArgument);
    EXPECT_EQ(events_.size(), 0u);
}

// A store and a sink in one that notices a write of the key which begins before the last one's event is out.
class StepChecker final : public KeyValueStoreInterface, public EventSink {
  public:
    WriteResult Set(const StoreKey&, const Value&, const WriteOptions&) override {
        overlaps_ += under_way_.exchange(true) ? 1 : 0;
        std::this_thread::yield();
        return WriteResult{};
    }
    void Emit(ChangeEvent) override {
        std::this_thread::yield();
        ++events_;
        under_way_ = false;
    }
    std::optional<StoredEntry> Get(const StoreKey&) override { return std::nullopt; }
    WriteResult Patch(const StoreKey&, std::string_view, const WriteOptions&) override { return {}; }
    std::optional<WriteResult> Delete(const StoreKey&, const WriteOptions&) override { return std::nullopt; }
    std::optional<WriteResult> Expire(const StoreKey&) override { return std::nullopt; }

    size_t overlaps() const { return overlaps_; }
    size_t events() const { return events_; }

  private:
    std::atomic<bool> under_way_ = false;
    std::atomic<size_t> overlaps_ = 0;
    std::atomic<size_t> events_ = 0;
};

TEST_F(EventfulKeyValueStoreTest, AChangeAndItsEventAreOneStep) {
    StepChecker checker;
    EventfulKeyValueStore store(checker, checker, keys_);
    test::InThreads(8, [&](size_t) {
        for (int i = 0; i < 500; ++i) {
            store.Set(key, Document("1"), {});
        }
    });
    EXPECT_EQ(checker.overlaps(), 0u);
    EXPECT_EQ(checker.events(), 4000u);
}

class LoggingKeyValueStoreTest : public testing::Test {
  protected:
    ManualClock clock_{500};
    MemoryLogger logger_{clock_, 3};
    StrictMock<MockStore> inner_;
    LoggingKeyValueStore store_{inner_, logger_};
};

TEST_F(LoggingKeyValueStoreTest, RecordsOperationKeyAndSuccess) {
    const WriteResult set{EntryOf("new", 6, Operation::kSet), std::nullopt};
    EXPECT_CALL(inner_, Set(key, Document("new"), ExpectsVersion(5))).WillOnce(Return(set));
    EXPECT_EQ(store_.Set(key, Document("new"), Expecting(5)).entry, set.entry);
    clock_.Advance(1);
    EXPECT_CALL(inner_, Get(key)).WillOnce([&](const StoreKey&) {
        EXPECT_EQ(logger_.OpenRecords(), 1u) << "the record is open while the operation runs";
        return std::optional<StoredEntry>();
    });
    EXPECT_FALSE(store_.Get(key).has_value());

    const std::vector<MemoryLogger::Record> records = logger_.Records();
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].operation, "set");
    EXPECT_EQ(records[0].key, key);
    EXPECT_EQ(records[0].started_at, 500);
    EXPECT_GE(records[0].duration.count(), 0);
    EXPECT_TRUE(records[0].result.success);
    EXPECT_EQ(records[1].operation, "get");
    EXPECT_EQ(records[1].started_at, 501);
    EXPECT_NE(records[0].transaction, records[1].transaction);
    EXPECT_EQ(logger_.OpenRecords(), 0u);
}

TEST_F(LoggingKeyValueStoreTest, RecordsAnErrorAndPassesItOn) {
    EXPECT_CALL(inner_, Patch(key, std::string_view("delta"), _))
        .WillOnce(Throw(Error(ErrorCode::kStaleVersion, "too late", "look again")));
    const std::optional<Error> error = test::ErrorOf([&] { store_.Patch(key, "delta", {}); });
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code(), ErrorCode::kStaleVersion);
    EXPECT_EQ(error->hint(), "look again");
    EXPECT_CALL(inner_, Delete(key, _)).WillOnce([](const StoreKey&, const WriteOptions&) {
        throw 17;
        return std::optional<WriteResult>();
    });
    EXPECT_THROW(store_.Delete(key, {}), int);
    EXPECT_CALL(inner_, Expire(key)).WillOnce(Return(std::nullopt));
    store_.Expire(key);

    const std::vector<MemoryLogger::Record> records = logger_.Records();
    ASSERT_EQ(records.size(), 3u);
    EXPECT_EQ(records[0].operation, "patch");
    EXPECT_FALSE(records[0].result.success);
    EXPECT_EQ(records[0].result.error, "too late");
    EXPECT_EQ(records[1].operation, "delete");
    EXPECT_FALSE(records[1].result.success);
    EXPECT_EQ(records[2].operation, "expire");
    EXPECT_TRUE(records[2].result.success);
}

TEST_F(LoggingKeyValueStoreTest, TheLogIsBounded) {
    for (int i = 0; i < 5; ++i) {
        logger_.LogEnd(logger_.LogStart("operation " + std::to_string(i), key), {});
        logger_.LogWarning("warning " + std::to_string(i));
    }
    const std::vector<MemoryLogger::Record> records = logger_.Records();
    ASSERT_EQ(records.size(), 3u);
    EXPECT_EQ(records.front().operation, "operation 2");
    EXPECT_EQ(records.back().operation, "operation 4");
    EXPECT_EQ(logger_.Warnings(), (std::vector<std::string>{"warning 2", "warning 3", "warning 4"}));
    logger_.LogEnd(999, {});
    EXPECT_EQ(logger_.Records().size(), 3u) << "an unknown transaction is no record";
    EXPECT_EQ(logger_.LostRecords(), 0u);
}

}  // namespace
}  // namespace kvs
