#include "kvs/local/local_store.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "kvs/local/memory_versioned_store.h"
#include "store_test_support.h"

namespace kvs {
namespace {

using std::chrono::microseconds;
using test::CodeOf;
using test::Document;
using test::EventLog;
using test::Expecting;
using test::InThreads;
using test::ManualClock;

class LocalStoreTest : public testing::Test {
  protected:
    static LocalStoreOptions OptionsWith(std::shared_ptr<Clock> clock) {
        LocalStoreOptions options;
        options.clock = std::move(clock);
        return options;
    }

    std::string TextOf(const std::string& key) {
        const std::optional<StoredEntry> entry = store_.Get(key);
        return entry.has_value() ? entry->value.payload : "absent";
    }

    const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(1000);
    LocalStore store_{OptionsWith(clock_)};
};

TEST_F(LocalStoreTest, PutGetPatchDelete) {
    EXPECT_EQ(TextOf("users:1"), "absent");
    EXPECT_EQ(store_.Put("users:1", R"({"b": {"c": 1.50}, "a": 1})").metadata.version, 1u);
    EXPECT_EQ(TextOf("users:1"), R"({"a":1,"b":{"c":1.50}})");
    EXPECT_EQ(store_.Patch("users:1", R"({"a": null, "b": {"d": 2}})").metadata.version, 2u);
    EXPECT_EQ(TextOf("users:1"), R"({"b":{"c":1.50,"d":2}})");
    EXPECT_TRUE(store_.Delete("users:1"));
    EXPECT_EQ(TextOf("users:1"), "absent");
    EXPECT_FALSE(store_.Delete("users:1"));
    EXPECT_EQ(store_.Put("users:1", "null").metadata.version, 4u);
    EXPECT_EQ(TextOf("users:1"), "null");
    EXPECT_EQ(store_.Patch("users:2", R"({"x": 1})").metadata.version, 1u);
}

TEST_F(LocalStoreTest, HistoryHoldsEveryRevision) {
    WriteOptions options;
    options.comment = "why";
    options.modified_by = "ada";
    store_.Put("a", "1", options);
    clock_->Advance(5);
    store_.Patch("a", "2");
    store_.Delete("a");
    const std::vector<StoredEntry> history = store_.History("a");
    ASSERT_EQ(history.size(), 3u);
    EXPECT_EQ(history[0].operation, Operation::kDelete);
    EXPECT_EQ(history[1].operation, Operation::kPatch);
    EXPECT_EQ(history[1].metadata.updated_at, 1005);
    EXPECT_EQ(history[1].metadata.created_at, 1000);
    EXPECT_EQ(history[2].operation, Operation::kSet);
    EXPECT_EQ(history[2].metadata.comment, "why");
    EXPECT_EQ(history[2].metadata.modified_by, "ada");
    EXPECT_EQ(history[2].value.payload, "1");
    EXPECT_EQ(history[2].metadata.change.seq, 1u);
    EXPECT_EQ(history[0].metadata.change.seq, 3u);
    EXPECT_EQ(store_.History("a", 1).size(), 1u);
    EXPECT_TRUE(store_.History("b").empty());
}

TEST_F(LocalStoreTest, ExpectedVersionGuardsEveryWrite) {
    store_.Put("a", "1", Expecting(0));
    EXPECT_EQ(CodeOf([&] { store_.Put("a", "2", Expecting(0)); }), ErrorCode::kStaleVersion);
    EXPECT_EQ(CodeOf([&] { store_.Patch("a", "2", Expecting(2)); }), ErrorCode::kStaleVersion);
    EXPECT_EQ(CodeOf([&] { store_.Delete("a", Expecting(2)); }), ErrorCode::kStaleVersion);
    EXPECT_EQ(TextOf("a"), "1");
    store_.Patch("a", "2", Expecting(1));
    EXPECT_TRUE(store_.Delete("a", Expecting(2)));
    EXPECT_EQ(CodeOf([&] { store_.Put("a", "3", Expecting(3)); }), ErrorCode::kStaleVersion);
    EXPECT_EQ(store_.Put("a", "3", Expecting(0)).metadata.version, 4u);
    EXPECT_EQ(store_.History("a").size(), 4u);
}

TEST_F(LocalStoreTest, AnEntryLivesAsLongAsItsTtl) {
    EXPECT_EQ(store_.Put("a", "{}", {}, microseconds(100)).value.expires_at, 1100);
    clock_->Advance(50);
    EXPECT_EQ(store_.Patch("a", R"({"b":1})").value.expires_at, 1100) << "a patch keeps the expiry";
    clock_->Advance(49);
    EXPECT_EQ(TextOf("a"), R"({"b":1})");
    EXPECT_EQ(store_.Scan().size(), 1u);
    clock_->Advance(1);
    EXPECT_EQ(TextOf("a"), "absent");
    EXPECT_TRUE(store_.Scan().empty());
    EXPECT_FALSE(store_.Delete("a"));
    EXPECT_EQ(CodeOf([&] { store_.Put("a", "1", Expecting(2)); }), ErrorCode::kStaleVersion);
    const StoredEntry again = store_.Patch("a", R"({"c":2})");
    EXPECT_EQ(again.value, Document(R"({"c":2})"))
        << "neither the expired document nor its expiry comes back";
    EXPECT_EQ(again.metadata.version, 3u);
    EXPECT_EQ(again.metadata.created_at, 1100);
    store_.Put("b", "1", {}, microseconds(100));
    EXPECT_FALSE(store_.Put("b", "2").value.expires_at.has_value()) << "a put without ttl clears the expiry";
}

TEST_F(LocalStoreTest, TtlHasNoWayToGoWrong) {
    EXPECT_EQ(CodeOf([&] { store_.Put("a", "1", {}, microseconds(0)); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf([&] { store_.Put("a", "1", {}, microseconds(-1)); }), ErrorCode::kInvalidArgument);
    EXPECT_FALSE(store_.Put("a", "1", {}, microseconds::max()).value.expires_at.has_value());
    EXPECT_EQ(TextOf("a"), "1");
}

TEST_F(LocalStoreTest, RemovingExpiredEntriesMakesEventsOfIt) {
    EventLog log;
    store_.Put("a", "1", {}, microseconds(10));
    store_.Put("b", "2", {}, microseconds(20));
    store_.Put("c", "3");
    store_.Subscribe("#", log.Listener());
    EXPECT_EQ(store_.RemoveExpired(), 0u);
    clock_->Advance(10);
    EXPECT_EQ(store_.RemoveExpired(), 1u);
    EXPECT_EQ(store_.RemoveExpired(), 0u);
    store_.WaitForListeners();
    const std::vector<ChangeEvent> events = log.Events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].operation, Operation::kExpire);
    EXPECT_EQ(events[0].serialized_key, "a");
    EXPECT_EQ(events[0].version, 2u);
    ASSERT_TRUE(events[0].previous.has_value());
    EXPECT_EQ(events[0].previous->value.payload, "1");
    EXPECT_EQ(store_.History("a").front().operation, Operation::kExpire);
}

TEST_F(LocalStoreTest, ScanMeetsAllOfItsRange) {
    for (const char* key : {"b:1", "a:1", "a:2", "a:3", "a", "b:2"}) {
        store_.Put(key, "0");
    }
    store_.Delete("a:2");
    const auto keys = [&](const ScanRange& range) {
        std::vector<std::string> found;
        for (const auto& [key, entry] : store_.Scan(range)) {
            found.push_back(key);
        }
        return found;
    };
    using Keys = std::vector<std::string>;
    EXPECT_EQ(keys({}), (Keys{"a", "a:1", "a:3", "b:1", "b:2"}));
    ScanRange range;
    range.prefix = "a:";
    EXPECT_EQ(keys(range), (Keys{"a:1", "a:3"}));
    range.start_key = "a:2";
    EXPECT_EQ(keys(range), (Keys{"a:3"}));
    range = {};
    range.start_key = "a:1";
    range.end_key = "b:2";
    EXPECT_EQ(keys(range), (Keys{"a:1", "a:3", "b:1"}));
    range.max_rows = 2;
    EXPECT_EQ(keys(range), (Keys{"a:1", "a:3"}));
    range.max_rows = 0;
    EXPECT_EQ(keys(range), Keys{});
    range = {};
    range.prefix = "\xff\xff";
    EXPECT_EQ(keys(range), Keys{});
    store_.Put("\xff\xff:x", "0");
    EXPECT_EQ(keys(range), Keys{"\xff\xff:x"});
    range.prefix = "a";
    range.end_key = "zzz";
    EXPECT_EQ(keys(range), (Keys{"a", "a:1", "a:3"}));
}

TEST_F(LocalStoreTest, EventsCarryEverything) {
    EventLog log;
    store_.Subscribe("users/#", log.Listener());
    store_.Put("users/active:1", "1");
    store_.Put("other:1", "1");
    store_.Patch("users/active:1", R"({"a":1})");
    store_.Delete("users/active:1");
    store_.Delete("users/active:1");
    store_.WaitForListeners();
    const std::vector<ChangeEvent> events = log.Events();
    ASSERT_EQ(events.size(), 3u);
    EXPECT_EQ(events[0].key, (StoreKey{{"users", "active"}, "1"}));
    EXPECT_FALSE(events[0].previous.has_value());
    EXPECT_EQ(events[1].operation, Operation::kPatch);
    EXPECT_EQ(events[1].previous, events[0].entry);
    EXPECT_EQ(events[2].previous, events[1].entry);
    EXPECT_FALSE(events[2].entry.has_value());
    EXPECT_EQ(events[2].version, 3u);
}

TEST_F(LocalStoreTest, AListenerMayWriteToTheStore) {
    store_.Subscribe("in:+", [this](const ChangeEvent& event) {
        store_.Put("out:" + event.key.key, event.entry->value.payload);
        if (event.version < 3) {
            store_.Patch(event.serialized_key, "{}");  // the very key it hears of
        }
    });
    EventLog log;
    store_.Subscribe("out:+", log.Listener());
    store_.Put("in:1", "{}");
    while (store_.History("out:1").size() < 3) {
        store_.WaitForListeners();
    }
    store_.WaitForListeners();
    EXPECT_EQ(log.size(), 3u);
}

TEST_F(LocalStoreTest, BadInputIsRefusedAndLeavesNothing) {
    EXPECT_EQ(CodeOf([&] { store_.Put("", "1"); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf([&] { store_.Get("a//b:c"); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf([&] { store_.History("a//b:c"); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf([&] { store_.Put(std::string(kMaxKeySize + 1, 'k'), "1"); }),
              ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf([&] { store_.Put("a", "{"); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf([&] { store_.Patch("a", "{"); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf([&] { store_.Put("a", "1", Expecting(-1)); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf([&] { store_.Put("a", '"' + std::string(kMaxValueSize, 'x') + '"'); }),
              ErrorCode::kLimitExceeded);
    WriteOptions options;
    options.comment = std::string(3000, 'c');
    EXPECT_EQ(CodeOf([&] { store_.Put("a", "1", options); }), ErrorCode::kLimitExceeded);
    EXPECT_EQ(CodeOf([&] { store_.Patch("a", "1", options); }), ErrorCode::kLimitExceeded);
    EXPECT_EQ(CodeOf([&] { store_.Delete("a", options); }), ErrorCode::kLimitExceeded);
    EXPECT_TRUE(store_.Scan().empty());
}

TEST_F(LocalStoreTest, OperationsAreLogged) {
    store_.Put("users:1", "1");
    EXPECT_EQ(CodeOf([&] { store_.Put("users:1", "1", Expecting(9)); }), ErrorCode::kStaleVersion);
    const std::vector<MemoryLogger::Record> records = store_.log().Records();
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].operation, "set");
    EXPECT_EQ(records[0].key, (StoreKey{{"users"}, "1"}));
    EXPECT_TRUE(records[0].result.success);
    EXPECT_FALSE(records[1].result.success);
    EXPECT_EQ(store_.log().OpenRecords(), 0u);
}

TEST_F(LocalStoreTest, ItsEndDeliversWhatIsQueued) {
    EventLog log;
    {
        LocalStore store;
        store.Subscribe("#", log.Listener());
        for (int i = 0; i < 100; ++i) {
            store.Put("a", std::to_string(i));
        }
    }
    EXPECT_EQ(log.size(), 100u);
}

// Compare-and-set counters on hot keys: every increment counts once, and each key's
// events are its versions in order.
TEST_F(LocalStoreTest, ManyThreadsOnHotKeysLoseNothing) {
    constexpr size_t kThreads = 6;
    constexpr int kIncrements = 150;
    const std::vector<std::string> keys{"hot:1", "hot:2", "hot:3", "lone"};
    EventLog log;
    store_.Subscribe("#", log.Listener());
    InThreads(kThreads, [&](size_t) {
        for (int i = 0; i < kIncrements; ++i) {
            const std::string& key = keys[static_cast<size_t>(i) % keys.size()];
            for (bool done = false; !done;) {
                const std::optional<StoredEntry> current = store_.Get(key);
                const int count = current.has_value() ? std::stoi(current->value.payload) : 0;
                const int64_t version =
                    current.has_value() ? static_cast<int64_t>(current->metadata.version) : 0;
                const std::optional<ErrorCode> error =
                    CodeOf([&] { store_.Put(key, std::to_string(count + 1), Expecting(version)); });
                ASSERT_TRUE(!error.has_value() || error == ErrorCode::kStaleVersion);
                done = !error.has_value();
            }
        }
    });
    store_.WaitForListeners();
    int sum = 0;
    for (const std::string& key : keys) {
        const std::vector<StoredEntry> history = store_.History(key);
        sum += std::stoi(history.front().value.payload);
        for (size_t i = 0; i < history.size(); ++i) {
            EXPECT_EQ(history[i].metadata.version, history.size() - i)
                << "versions of " << key << " are not dense";
        }
    }
    EXPECT_EQ(sum, static_cast<int>(kThreads) * kIncrements);
    std::map<std::string, uint64_t> last;
    std::set<uint64_t> seqs;
    for (const ChangeEvent& event : log.Events()) {
        EXPECT_EQ(event.version, ++last[event.serialized_key]) << event.serialized_key;
        EXPECT_TRUE(seqs.insert(event.entry->metadata.change.seq).second);
    }
    EXPECT_EQ(seqs.size(), static_cast<size_t>(sum));
}

// Blind writes, patches and deletes at once: the events of a key still tell its history, each revision once.
TEST_F(LocalStoreTest, EventsTellTheHistoryOfAKey) {
    constexpr size_t kThreads = 6;
    constexpr int kWrites = 200;
    EventLog log;
    store_.Subscribe("#", log.Listener());
    InThreads(kThreads, [&](size_t thread) {
        for (int i = 0; i < kWrites; ++i) {
            const std::string key = "k" + std::to_string(i % 3);
            switch ((i + static_cast<int>(thread)) % 3) {
                case 0:
                    store_.Put(key, "{}");
                    break;
                case 1:
                    store_.Patch(key, "{\"t" + std::to_string(thread) + "\":" + std::to_string(i) + "}");
                    break;
                default:
                    store_.Delete(key);
            }
        }
    });
    store_.WaitForListeners();
    for (const std::string key : {"k0", "k1", "k2"}) {
        std::vector<StoredEntry> history = store_.History(key);
        std::reverse(history.begin(), history.end());
        size_t position = 0;
        for (const ChangeEvent& event : log.Events()) {
            if (event.serialized_key != key) {
                continue;
            }
            ASSERT_LT(position, history.size());
            const StoredEntry& revision = history[position];
            EXPECT_EQ(event.version, revision.metadata.version);
            EXPECT_EQ(event.version, position + 1);
            EXPECT_EQ(event.operation, revision.operation);
            EXPECT_EQ(event.entry.has_value(), !revision.metadata.deleted);
            EXPECT_TRUE(!event.entry.has_value() || *event.entry == revision);
            const bool after_entry = position > 0 && !history[position - 1].metadata.deleted;
            EXPECT_EQ(event.previous.has_value(), after_entry);
            EXPECT_TRUE(!after_entry || *event.previous == history[position - 1]);
            ++position;
        }
        EXPECT_EQ(position, history.size()) << key;
    }
}

// The store and the versioned oracle, two independent ways through the same rules,
// agree on any sequence of writes.
RC_GTEST_PROP(LocalStoreProperty, AgreesWithTheVersionedStore, ()) {
    const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
        rc::gen::tuple(rc::gen::inRange(0, 6), rc::gen::inRange(0, 3), rc::gen::inRange(0, 4)));
    const auto clock = std::make_shared<ManualClock>(1000);
    LocalStoreOptions options;
    options.clock = clock;
    options.log_id.emplace();
    LocalStore store(options);
    MemoryVersionedStore oracle;
    const std::vector<std::string> keys{"a", "b:1", "b:2"};
    const std::vector<std::string> documents{R"({"x":1})", R"({"x":null,"y":{"z":[1]}})", "7",
                                             R"({"y":{"w":2.0}})"};
    for (const auto& [operation, key_number, document_number] : steps) {
        const std::string& key = keys[static_cast<size_t>(key_number)];
        const std::string& document = documents[static_cast<size_t>(document_number)];
        const Timestamp now = clock->Now();
        const WriteOptions write = operation == 5 ? Expecting(document_number) : WriteOptions{};
        const auto same_outcome = [&](const std::function<void()>& left, const std::function<void()>& right) {
            RC_ASSERT(CodeOf(left) == CodeOf(right));
        };
        switch (operation) {
            case 0:
            case 5:
                same_outcome([&] { store.Put(key, document, write); },
                             [&] { oracle.Put("main", key, Document(document), write, now); });
                break;
            case 1:
                same_outcome([&] { store.Put(key, document, write, microseconds(2)); },
                             [&] { oracle.Put("main", key, Document(document, now + 2), write, now); });
                break;
            case 2:
                same_outcome([&] { store.Patch(key, document, write); },
                             [&] { oracle.Patch("main", key, document, write, now); });
                break;
            case 3:
                RC_ASSERT(store.Delete(key, write) == oracle.Delete("main", key, write, now));
                break;
            default:
                clock->Advance(1);
        }
        RC_ASSERT(store.Get(key) == MemoryVersionedStore::Get(oracle.Working("main"), key, clock->Now()));
    }
    RC_ASSERT(store.Scan() == MemoryVersionedStore::Scan(oracle.Working("main"), clock->Now()));
}

}  // namespace
}  // namespace kvs
