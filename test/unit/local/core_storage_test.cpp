#include <gtest/gtest.h>

#include <stdexcept>

#include "kvs/local/memory_core_storage.h"
#include "store_test_support.h"

namespace kvs {
namespace {

using test::Document;
using test::InThreads;

StoredEntry EntryOf(std::string text, uint64_t version = 1) {
    StoredEntry entry;
    entry.value = Document(std::move(text));
    entry.metadata.version = version;
    return entry;
}

void Store(CoreStorage& storage, const std::string& key, const StoredEntry& entry) {
    storage.Update(key, [&](const StoredEntry*, const ChangeId&) { return entry; });
}

std::vector<std::string> KeysIn(CoreStorage& storage, std::string_view start,
                                std::optional<std::string_view> end) {
    std::vector<std::string> keys;
    storage.Scan(start, end, [&](const std::string& key, const StoredEntry&) {
        keys.push_back(key);
        return true;
    });
    return keys;
}

TEST(MemoryCoreStorageTest, UpdateSeesTheCurrentEntryAndReplacesIt) {
    MemoryCoreStorage storage;
    EXPECT_FALSE(storage.Get("a").has_value());
    const auto created = storage.Update("a", [](const StoredEntry* current, const ChangeId&) {
        EXPECT_EQ(current, nullptr);
        return EntryOf("1");
    });
    EXPECT_EQ(created, EntryOf("1"));
    storage.Update("a", [](const StoredEntry* current, const ChangeId&) {
        EXPECT_NE(current, nullptr);
        EXPECT_EQ(*current, EntryOf("1"));
        return EntryOf("2", 2);
    });
    EXPECT_EQ(storage.Get("a"), EntryOf("2", 2));
    EXPECT_FALSE(storage.Get("b").has_value());
}

TEST(MemoryCoreStorageTest, NumbersOfTheLogAreDenseAndCarryItsIdentity) {
    const std::array<uint8_t, 16> log_id{9, 8, 7};
    MemoryCoreStorage storage(log_id);
    std::vector<ChangeId> seen;
    const auto write = [&](const StoredEntry*, const ChangeId& change) {
        seen.push_back(change);
        return EntryOf("1");
    };
    const auto refuse = [&](const StoredEntry*, const ChangeId& change) -> std::optional<StoredEntry> {
        seen.push_back(change);
        return std::nullopt;
    };
    storage.Update("a", write);
    EXPECT_FALSE(storage.Update("a", refuse).has_value());
    storage.Update("b", write);
    EXPECT_EQ(seen, (std::vector<ChangeId>{{log_id, 1}, {log_id, 2}, {log_id, 2}}));
}

TEST(MemoryCoreStorageTest, AFailedOrRefusedChangeLeavesNothingBehind) {
    MemoryCoreStorage storage;
    const auto fail = [](const StoredEntry*, const ChangeId&) -> std::optional<StoredEntry> {
        throw std::runtime_error("no");
    };
    EXPECT_THROW(storage.Update("a", fail), std::runtime_error);
    storage.Update("b", [](const StoredEntry*, const ChangeId&) { return std::optional<StoredEntry>(); });
    EXPECT_TRUE(storage.Keys().empty());
    EXPECT_TRUE(KeysIn(storage, "", std::nullopt).empty());
    Store(storage, "a", EntryOf("1"));
    EXPECT_THROW(storage.Update("a", fail), std::runtime_error);
    EXPECT_EQ(storage.Get("a"), EntryOf("1"));
    EXPECT_EQ(storage.History("a", 10).size(), 1u);
}

TEST(MemoryCoreStorageTest, ScanTakesAHalfOpenRangeInKeyOrder) {
    MemoryCoreStorage storage;
    for (const char* key : {"b", "d", "a", "c", "\xff"}) {
        Store(storage, key, EntryOf(key));
    }
    EXPECT_EQ(KeysIn(storage, "", std::nullopt), (std::vector<std::string>{"a", "b", "c", "d", "\xff"}));
    EXPECT_EQ(KeysIn(storage, "b", "d"), (std::vector<std::string>{"b", "c"}));
    EXPECT_EQ(KeysIn(storage, "bb", std::nullopt), (std::vector<std::string>{"c", "d", "\xff"}));
    EXPECT_TRUE(KeysIn(storage, "d", "b").empty());
    size_t visited = 0;
    storage.Scan("", std::nullopt, [&](const std::string&, const StoredEntry&) { return ++visited < 2; });
    EXPECT_EQ(visited, 2u);
}

TEST(MemoryCoreStorageTest, KeysLeaveOutTombstonesAndScanDoesNot) {
    MemoryCoreStorage storage;
    Store(storage, "a", EntryOf("1"));
    Store(storage, "b", EntryOf("1"));
    StoredEntry tombstone;
    tombstone.metadata.deleted = true;
    tombstone.metadata.version = 2;
    Store(storage, "a", tombstone);
    EXPECT_EQ(storage.Keys(), std::vector<std::string>{"b"});
    EXPECT_EQ(KeysIn(storage, "", std::nullopt), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(storage.Get("a"), tombstone);
}

TEST(MemoryCoreStorageTest, HistoryIsNewestFirstAndBounded) {
    MemoryCoreStorage storage;
    for (uint64_t version = 1; version <= 5; ++version) {
        Store(storage, "a", EntryOf(std::to_string(version), version));
    }
    const std::vector<StoredEntry> all = storage.History("a", 100);
    ASSERT_EQ(all.size(), 5u);
    EXPECT_EQ(all.front(), EntryOf("5", 5));
    EXPECT_EQ(all.back(), EntryOf("1", 1));
    EXPECT_EQ(storage.History("a", 2), (std::vector<StoredEntry>{EntryOf("5", 5), EntryOf("4", 4)}));
    EXPECT_TRUE(storage.History("a", 0).empty());
    EXPECT_TRUE(storage.History("b", 10).empty());
}

TEST(MemoryCoreStorageTest, ConcurrentUpdatesOfOneKeyLoseNothing) {
    constexpr size_t kThreads = 8;
    constexpr size_t kUpdates = 500;
    MemoryCoreStorage storage;
    InThreads(kThreads, [&](size_t) {
        for (size_t i = 0; i < kUpdates; ++i) {
            storage.Update("hot", [](const StoredEntry* current, const ChangeId&) {
                const int count = current == nullptr ? 0 : std::stoi(current->value.payload);
                return EntryOf(std::to_string(count + 1),
                               current == nullptr ? 1 : current->metadata.version + 1);
            });
            storage.Get("hot");
        }
    });
    EXPECT_EQ(storage.Get("hot"), EntryOf(std::to_string(kThreads * kUpdates), kThreads * kUpdates));
    EXPECT_EQ(storage.History("hot", kThreads * kUpdates + 1).size(), kThreads * kUpdates);
}

TEST(MemoryCoreStorageTest, AScanSeesOneMoment) {
    MemoryCoreStorage storage;
    Store(storage, "a", EntryOf("0"));
    Store(storage, "b", EntryOf("0"));
    std::atomic<bool> done = false;
    // Writes a, then b: at any moment a is b or one ahead.
    std::thread writer([&] {
        for (int i = 1; i <= 2000; ++i) {
            Store(storage, "a", EntryOf(std::to_string(i)));
            Store(storage, "b", EntryOf(std::to_string(i)));
        }
        done = true;
    });
    while (!done) {
        std::vector<int> values;
        storage.Scan("", std::nullopt, [&](const std::string&, const StoredEntry& entry) {
            values.push_back(std::stoi(entry.value.payload));
            return true;
        });
        const bool complete = values.size() == 2;
        EXPECT_TRUE(complete);
        EXPECT_TRUE(!complete || values[0] == values[1] || values[0] == values[1] + 1);
    }
    writer.join();
}

}  // namespace
}  // namespace kvs
