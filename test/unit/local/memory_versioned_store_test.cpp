#include "kvs/local/memory_versioned_store.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "store_test_support.h"

namespace kvs {
namespace {

using test::CodeOf;
using test::Document;
using test::Expecting;
using Kind = MemoryVersionedStore::DiffKind;

class MemoryVersionedStoreTest : public testing::Test {
  protected:
    StoredEntry Put(const std::string& branch, const std::string& key, const std::string& text) {
        return store_.Put(branch, key, Document(text), {}, ++now_);
    }

    size_t Commit(const std::string& branch) {
        return store_.MakeCommit(branch, "a commit", "ada", ++now_).value();
    }

    static std::string TextOf(const MemoryVersionedStore::State& state, const std::string& key,
                              Timestamp now = 0) {
        const std::optional<StoredEntry> entry = MemoryVersionedStore::Get(state, key, now);
        return entry.has_value() ? entry->value.payload : "absent";
    }

    static std::vector<std::pair<std::string, Kind>> KindsOf(const MemoryVersionedStore::State& from,
                                                             const MemoryVersionedStore::State& to) {
        std::vector<std::pair<std::string, Kind>> kinds;
        for (const auto& difference : MemoryVersionedStore::Diff(from, 0, to, 0)) {
            kinds.emplace_back(difference.key, difference.kind);
        }
        return kinds;
    }

    MemoryVersionedStore store_;
    Timestamp now_ = 1000;
};

using Kinds = std::vector<std::pair<std::string, Kind>>;

TEST_F(MemoryVersionedStoreTest, BeginsWithMainOnAnEmptyCommit) {
    EXPECT_EQ(store_.Branches(), std::vector<std::string>{"main"});
    EXPECT_EQ(store_.Head("main"), 0u);
    EXPECT_TRUE(store_.At(0).state.empty());
    EXPECT_FALSE(store_.At(0).parent.has_value());
    EXPECT_FALSE(store_.MakeCommit("main", "nothing", "ada", 1).has_value());
}

TEST_F(MemoryVersionedStoreTest, ACommitIsACopyThatNothingChanges) {
    Put("main", "a", "1");
    const size_t first = Commit("main");
    Put("main", "a", "2");
    store_.Delete("main", "a", {}, ++now_);
    const size_t second = Commit("main");
    EXPECT_EQ(TextOf(store_.At(first).state, "a"), "1");
    EXPECT_EQ(TextOf(store_.At(second).state, "a"), "absent");
    EXPECT_EQ(store_.Log(second), (std::vector<size_t>{second, first, 0}));
    EXPECT_EQ(store_.At(second).parent, first);
    EXPECT_EQ(store_.At(second).message, "a commit");
    EXPECT_EQ(MemoryVersionedStore::History(store_.At(first).state, "a").size(), 1u);
    EXPECT_EQ(MemoryVersionedStore::History(store_.Working("main"), "a").size(), 3u);
}

TEST_F(MemoryVersionedStoreTest, ACommitOfUnchangedContentIsNone) {
    Put("main", "a", "1");
    Commit("main");
    Put("main", "a", "2");
    Put("main", "a", "1");
    Put("main", "b", "1");
    store_.Delete("main", "b", {}, ++now_);
    EXPECT_FALSE(store_.MakeCommit("main", "same content", "ada", ++now_).has_value());
    WriteOptions options;
    options.tags = {"t"};
    store_.Put("main", "a", Document("1"), options, ++now_);
    EXPECT_TRUE(store_.MakeCommit("main", "tags", "ada", ++now_).has_value());
    store_.Put("main", "a", Document("1", 99999), {}, ++now_);
    EXPECT_TRUE(store_.MakeCommit("main", "expiry", "ada", ++now_).has_value());
}

TEST_F(MemoryVersionedStoreTest, BranchesGoTheirOwnWays) {
    Put("main", "a", "1");
    const size_t base = Commit("main");
    Put("main", "a", "17");
    store_.CreateBranch("dev", base);
    EXPECT_EQ(TextOf(store_.Working("dev"), "a"), "1");
    EXPECT_EQ(Put("dev", "a", "2").metadata.version, 2u);
    EXPECT_EQ(TextOf(store_.Working("main"), "a"), "17");
    Commit("dev");
    EXPECT_EQ(store_.Head("main"), base);
    store_.RenameBranch("dev", "work");
    EXPECT_EQ(store_.Branches(), (std::vector<std::string>{"main", "work"}));
    EXPECT_EQ(TextOf(store_.Working("work"), "a"), "2");
    store_.DeleteBranch("work");
    EXPECT_EQ(store_.Branches(), std::vector<std::string>{"main"});
}

TEST_F(MemoryVersionedStoreTest, NamesAreUniqueAndKnown) {
    store_.CreateBranch("dev", 0);
    store_.CreateTag("v1", 0);
    EXPECT_EQ(store_.Tagged("v1"), 0u);
    EXPECT_EQ(store_.Tags(), std::vector<std::string>{"v1"});
    EXPECT_EQ(CodeOf([&] { store_.CreateBranch("dev", 0); }), ErrorCode::kAlreadyExists);
    EXPECT_EQ(CodeOf([&] { store_.CreateBranch("v1", 0); }), ErrorCode::kAlreadyExists);
    EXPECT_EQ(CodeOf([&] { store_.CreateTag("dev", 0); }), ErrorCode::kAlreadyExists);
    EXPECT_EQ(CodeOf([&] { store_.RenameBranch("dev", "main"); }), ErrorCode::kAlreadyExists);
    EXPECT_EQ(CodeOf([&] { store_.CreateBranch("x", 7); }), ErrorCode::kUnknownRef);
    EXPECT_EQ(CodeOf([&] { store_.CreateTag("x", 7); }), ErrorCode::kUnknownRef);
    EXPECT_EQ(CodeOf([&] { store_.Head("x"); }), ErrorCode::kUnknownRef);
    EXPECT_EQ(CodeOf([&] { store_.Tagged("x"); }), ErrorCode::kUnknownRef);
    EXPECT_EQ(CodeOf([&] { store_.DeleteBranch("x"); }), ErrorCode::kUnknownRef);
    EXPECT_EQ(CodeOf([&] { store_.DeleteTag("x"); }), ErrorCode::kUnknownRef);
    EXPECT_EQ(CodeOf([&] { Put("x", "a", "1"); }), ErrorCode::kUnknownRef);
    store_.DeleteTag("v1");
    EXPECT_TRUE(store_.Tags().empty());
    EXPECT_EQ(store_.Branches(), (std::vector<std::string>{"dev", "main"}));
}

TEST_F(MemoryVersionedStoreTest, DiffNamesWhatChangedAndHow) {
    for (const char* key : {"deleted", "same", "tagged", "value"}) {
        Put("main", key, "1");
    }
    const size_t from = Commit("main");
    store_.Delete("main", "deleted", {}, ++now_);
    Put("main", "added", "1");
    Put("main", "value", "2");
    Put("main", "same", "1");
    WriteOptions options;
    options.tags = {"t"};
    store_.Put("main", "tagged", Document("1"), options, ++now_);
    const MemoryVersionedStore::State& working = store_.Working("main");
    EXPECT_EQ(KindsOf(store_.At(from).state, working), (Kinds{{"added", Kind::kAdded},
                                                              {"deleted", Kind::kRemoved},
                                                              {"tagged", Kind::kMetadata},
                                                              {"value", Kind::kModified}}));
    EXPECT_EQ(KindsOf(working, store_.At(from).state).front(),
              std::pair("added" + std::string(), Kind::kRemoved));
    const auto differences = MemoryVersionedStore::Diff(store_.At(from).state, 0, working, 0);
    EXPECT_FALSE(differences[0].from.has_value());
    EXPECT_FALSE(differences[1].to.has_value());
    EXPECT_EQ(differences[3].from->value.payload, "1");
    EXPECT_EQ(differences[3].to->value.payload, "2");
}

TEST_F(MemoryVersionedStoreTest, ResetRestoresContentAndRaisesVersions) {
    Put("main", "changed", "1");
    Put("main", "removed", "1");
    Put("main", "same", "1");
    const size_t target = Commit("main");
    Put("main", "changed", "2");
    Put("main", "changed", "3");
    store_.Delete("main", "removed", {}, ++now_);
    Put("main", "added", "1");
    Put("main", "same", "1");
    Commit("main");
    store_.Reset("main", target, "bob", ++now_);
    const MemoryVersionedStore::State& working = store_.Working("main");
    EXPECT_EQ(store_.Head("main"), target);
    EXPECT_TRUE(KindsOf(store_.At(target).state, working).empty());
    const auto newest = [&](const std::string& key) {
        return MemoryVersionedStore::History(working, key).front();
    };
    EXPECT_EQ(newest("changed").metadata.version, 4u);
    EXPECT_EQ(newest("changed").value.payload, "1");
    EXPECT_EQ(newest("changed").operation, Operation::kReset);
    EXPECT_EQ(newest("changed").metadata.modified_by, "bob");
    EXPECT_EQ(newest("removed").metadata.version, 3u);
    EXPECT_EQ(newest("removed").value.payload, "1");
    EXPECT_EQ(newest("added").metadata.version, 2u);
    EXPECT_TRUE(newest("added").metadata.deleted);
    EXPECT_EQ(newest("same").metadata.version, 2u);
    EXPECT_EQ(newest("same").operation, Operation::kSet);
    EXPECT_FALSE(store_.MakeCommit("main", "nothing", "ada", ++now_).has_value());
    EXPECT_EQ(CodeOf([&] { store_.Put("main", "changed", Document("x"), Expecting(1), ++now_); }),
              ErrorCode::kStaleVersion)
        << "the version of the restored content does not come back";
}

TEST_F(MemoryVersionedStoreTest, ExpiryIsJudgedAtTheReadersMoment) {
    store_.Put("main", "a", Document("1", 2000), {}, 1000);
    const size_t commit = store_.MakeCommit("main", "m", "ada", 1500).value();
    const MemoryVersionedStore::Commit& made = store_.At(commit);
    EXPECT_EQ(TextOf(made.state, "a", made.committed_at), "1");
    EXPECT_EQ(TextOf(store_.Working("main"), "a", 2000), "absent");
    EXPECT_EQ(MemoryVersionedStore::Scan(made.state, 1999).size(), 1u);
    EXPECT_TRUE(MemoryVersionedStore::Scan(made.state, 2000).empty());
    const MemoryVersionedStore::State& working = store_.Working("main");
    EXPECT_TRUE(MemoryVersionedStore::Diff(made.state, made.committed_at, working, 2000).empty())
        << "nobody has touched it";
    EXPECT_FALSE(store_.MakeCommit("main", "nobody has removed it", "ada", 2000).has_value());
}

TEST_F(MemoryVersionedStoreTest, DiffJudgesExpiryAtTheMomentOfEachSide) {
    store_.Put("main", "a", Document("1", 2000), {}, 1000);
    const size_t commit = store_.MakeCommit("main", "m", "ada", 1500).value();
    const MemoryVersionedStore::State& before = store_.At(commit).state;
    store_.Put("main", "a", Document("2", 3000), {}, 1600);
    const MemoryVersionedStore::State& after = store_.Working("main");
    const auto kind = [&](Timestamp from, Timestamp to) {
        return MemoryVersionedStore::Diff(before, from, after, to).front().kind;
    };
    EXPECT_EQ(kind(1500, 1600), Kind::kModified);
    EXPECT_EQ(kind(2000, 2000), Kind::kAdded);
    EXPECT_EQ(kind(1500, 3000), Kind::kRemoved);
    EXPECT_TRUE(MemoryVersionedStore::Diff(before, 2000, after, 3000).empty());
}

TEST_F(MemoryVersionedStoreTest, ResetRaisesTheVersionOfEqualContentToThatOfTheCommit) {
    Put("main", "a", "1");
    const size_t first = Commit("main");
    store_.CreateBranch("dev", first);
    Put("main", "a", "2");
    Put("main", "a", "1");
    Put("main", "gone", "1");
    store_.Delete("main", "gone", {}, ++now_);
    Put("main", "b", "1");
    const size_t second = Commit("main");
    store_.Reset("dev", second, "bob", ++now_);
    const MemoryVersionedStore::State& dev = store_.Working("dev");
    EXPECT_EQ(MemoryVersionedStore::History(dev, "a").front().metadata.version, 3u);
    EXPECT_EQ(MemoryVersionedStore::History(dev, "a").front().metadata.modified_by, "");
    EXPECT_EQ(MemoryVersionedStore::History(dev, "gone").front().metadata.version, 2u);
    EXPECT_TRUE(MemoryVersionedStore::History(dev, "gone").front().metadata.deleted);
    EXPECT_EQ(MemoryVersionedStore::History(dev, "b").front().metadata.version, 2u);
    EXPECT_EQ(dev.at("b").size(), 1u) << "its history begins here";
    const size_t revisions = dev.at("a").size();
    store_.Reset("dev", second, "bob", ++now_);
    EXPECT_EQ(dev.at("a").size(), revisions);
}

TEST_F(MemoryVersionedStoreTest, ACopyIsASavepoint) {
    Put("main", "a", "1");
    const MemoryVersionedStore savepoint = store_;
    Put("main", "a", "2");
    Commit("main");
    store_ = savepoint;
    EXPECT_EQ(TextOf(store_.Working("main"), "a"), "1");
    EXPECT_EQ(store_.Head("main"), 0u);
}

// After any history: versions of a key are dense up to resets and never fall, heads differ from their working
// state exactly when a commit would be made, and a diff turned round is the diff of the states turned round.
RC_GTEST_PROP(MemoryVersionedStoreProperty, AnyHistory, ()) {
    const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
        rc::gen::tuple(rc::gen::inRange(0, 6), rc::gen::inRange(0, 2), rc::gen::inRange(0, 4)));
    MemoryVersionedStore store;
    store.CreateBranch("dev", 0);
    const std::vector<std::string> branches{"main", "dev"};
    size_t commits = 1;
    Timestamp now = 0;
    for (const auto& [operation, branch_number, number] : steps) {
        const std::string& branch = branches[static_cast<size_t>(branch_number)];
        const std::string key = "k" + std::to_string(number);
        ++now;
        switch (operation) {
            case 0:
                store.Put(branch, key, Document(std::to_string(now % 3)), {}, now);
                break;
            case 1:
                store.Patch(branch, key, "{\"a\":" + std::to_string(number) + "}", {}, now);
                break;
            case 2:
                store.Delete(branch, key, {}, now);
                break;
            case 3:
                store.Reset(branch, static_cast<size_t>(number) % commits, "bob", now);
                break;
            default: {
                const bool dirty = !MemoryVersionedStore::Diff(store.At(store.Head(branch)).state, now,
                                                               store.Working(branch), now)
                                        .empty();
                const auto made = store.MakeCommit(branch, "m", "a", now);
                RC_ASSERT(made.has_value() == dirty);
                commits += made.has_value() ? 1 : 0;
            }
        }
    }
    for (const std::string& branch : branches) {
        for (const auto& [key, revisions] : store.Working(branch)) {
            for (size_t i = 1; i < revisions.size(); ++i) {
                const bool reset = revisions[i].operation == Operation::kReset;
                const uint64_t before = revisions[i - 1].metadata.version;
                const uint64_t after = revisions[i].metadata.version;
                RC_ASSERT(after > before);
                RC_ASSERT((reset || after == before + 1));
            }
        }
    }
    const auto there = MemoryVersionedStore::Diff(store.Working("main"), now, store.Working("dev"), now);
    const auto back = MemoryVersionedStore::Diff(store.Working("dev"), now, store.Working("main"), now);
    RC_ASSERT(there.size() == back.size());
    for (size_t i = 0; i < there.size(); ++i) {
        RC_ASSERT(there[i].key == back[i].key);
        RC_ASSERT(there[i].from == back[i].to && there[i].to == back[i].from);
    }
}

}  // namespace
}  // namespace kvs
