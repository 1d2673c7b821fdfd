#include "kvs/version/object_walk.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "kvs/codec/item.h"
#include "kvs/error.h"
#include "kvs/local/memory_node_store.h"
#include "kvs/local/openssl_hasher.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/editor.h"
#include "kvs/tree/node.h"

namespace kvs {
namespace {

// A store in which states are built.
struct Fixture {
    OpenSslHasher hasher;
    MemoryNodeStore store{hasher};

    std::string Item(const std::string& payload) {
        DataItem item;
        item.payload = payload;
        if (NeedsBlob(item)) {
            item.blob = BlobRef{store.WriteBlob(payload), static_cast<uint32_t>(payload.size())};
            item.payload = {};
        }
        return EncodeDataItem(item);
    }

    static std::string Meta(uint64_t version) {
        Metadata metadata;
        metadata.version = version;
        return EncodeMetadata(metadata);
    }

    // `base` with these documents put (or, where empty, deleted).
    Commit Change(const Commit& base, const std::map<std::string, std::string>& documents) {
        TreeEditor data(store, base.data_root);
        TreeEditor meta(store, base.meta_root);
        for (const auto& [key, payload] : documents) {
            if (payload.empty()) {
                data.Delete(key);
            } else {
                data.Put(key, Item(payload));
            }
            meta.Put(key, Meta(base.generation + 1));
        }
        Commit commit;
        commit.generation = base.generation + 1;
        commit.parents = {kInitialCommit};
        commit.data_root = data.Finish();
        commit.meta_root = meta.Finish();
        return commit;
    }

    // Everything that the walk from `commit` hands out.
    std::set<Hash> Walk(const Commit& commit, const Commit* base, size_t memory = 1'000'000,
                        ContentCheck* check = nullptr) {
        std::set<Hash> met;
        ObjectWalk walk(store, check, memory);
        const TreePair trees = base != nullptr ? TreePair{base->data_root, base->meta_root} : TreePair{};
        walk.Add(commit, base != nullptr ? &trees : nullptr);
        for (std::vector<ObjectWalk::Step> steps; !(steps = walk.Take(7)).empty();) {
            for (const ObjectWalk::Step& step : steps) {
                met.insert(step.address);
                walk.Expand(step, store.ReadRaw(step.address));
            }
        }
        return met;
    }
};

std::string KeyOf(int i) {
    std::string digits = std::to_string(i);
    return "key:" + std::string(6 - digits.size(), '0') + digits;
}

std::map<std::string, std::string> Documents(int from, int to, const std::string& payload) {
    std::map<std::string, std::string> documents;
    for (int i = from; i < to; i++) {
        documents[KeyOf(i)] = payload + std::to_string(i);
    }
    return documents;
}

TEST(ObjectWalk, WithoutABaseItMeetsAllChunks) {
    Fixture f;
    const Commit commit = f.Change(InitialCommit(), Documents(0, 3000, std::string(50, 'x')));
    const std::vector<Hash> all = f.store.Addresses();
    EXPECT_GT(all.size(), 50U);
    EXPECT_EQ(f.Walk(commit, nullptr), std::set<Hash>(all.begin(), all.end()));
}

TEST(ObjectWalk, TheEmptyTreeHasNoChunks) {
    Fixture f;
    EXPECT_TRUE(f.Walk(InitialCommit(), nullptr).empty());
}

TEST(ObjectWalk, BlobsOfTheBaseAreLeftOut) {
    Fixture f;
    std::map<std::string, std::string> documents = Documents(0, 40, std::string(3000, 'b'));
    const Commit base = f.Change(InitialCommit(), documents);
    const Commit next = f.Change(base, {{KeyOf(7), std::string(4000, 'n')}});
    const std::set<Hash> met = f.Walk(next, &base);
    const Hash blob = f.store.WriteBlob(std::string(4000, 'n'));
    EXPECT_TRUE(met.contains(blob));
    EXPECT_FALSE(met.contains(f.store.WriteBlob(documents[KeyOf(8)])));
}

// What a small change of a large state needs is a path in either tree.
TEST(ObjectWalk, CostsWhatDiffers) {
    Fixture f;
    const Commit base = f.Change(InitialCommit(), Documents(0, 20000, std::string(50, 'x')));
    const Commit next = f.Change(base, {{KeyOf(10000), "other"}});
    EXPECT_LE(f.Walk(next, &base).size(), 12U);
    f.store.ResetCounters();
    f.Walk(next, &base);
    EXPECT_LE(f.store.reads(), 300U);
}

RC_GTEST_PROP(ObjectWalk, MeetsExactlyWhatTheBaseLacks, ()) {
    Fixture f;
    const int size = *rc::gen::inRange(0, 3000);
    const Commit base = f.Change(InitialCommit(), Documents(0, size, std::string(30, 'x')));
    std::map<std::string, std::string> changes;
    const int count = *rc::gen::inRange(0, 30);
    for (int i = 0; i < count; i++) {
        changes[KeyOf(*rc::gen::inRange(0, size + 20))] =
            *rc::gen::arbitrary<bool>() ? "" : "changed" + std::to_string(i);
    }
    const Commit next = f.Change(base, changes);
    const std::set<Hash> of_base = f.Walk(base, nullptr);
    const std::set<Hash> of_next = f.Walk(next, nullptr);
    std::set<Hash> lacking;
    std::set_difference(of_next.begin(), of_next.end(), of_base.begin(), of_base.end(),
                        std::inserter(lacking, lacking.end()));
    RC_ASSERT(f.Walk(next, &base) == lacking);
    // Forgetting costs steps, no chunk is missed or added.
    RC_ASSERT(f.Walk(next, &base, 5) == lacking);
}

// What is handed in must be what the step says.
TEST(ObjectWalk, RefusesWhatIsNotWhatTheParentSays) {
    Fixture f;
    const Commit commit = f.Change(InitialCommit(), Documents(0, 3000, std::string(50, 'x')));
    ObjectWalk walk(f.store);
    walk.Add(commit, nullptr);
    std::vector<ObjectWalk::Step> roots = walk.Take(10);
    ASSERT_EQ(roots.size(), 2U);
    const auto refused = [&](ObjectWalk::Step step, const std::string& raw) {
        try {
            walk.Expand(step, raw);
            return false;
        } catch (const Error& error) {
            return error.code() == ErrorCode::kCorruption;
        }
    };
    ASSERT_EQ(roots[0].role, ChunkRole::kData);
    walk.Expand(roots[0], f.store.ReadRaw(roots[0].address));
    const ObjectWalk::Step child = walk.Take(1).at(0);
    const std::string raw = f.store.ReadRaw(child.address);
    ObjectWalk::Step other = child;
    other.level++;
    EXPECT_TRUE(refused(other, raw));
    other = child;
    other.size++;
    EXPECT_TRUE(refused(other, raw));
    other = child;
    other.last_key++;
    EXPECT_TRUE(refused(other, raw));
    other = child;
    other.role = ChunkRole::kBlob;
    EXPECT_TRUE(refused(other, raw));
    other.size = 6;
    EXPECT_TRUE(refused(other, EncodeBlob("seven..")));
    EXPECT_FALSE(refused(other, EncodeBlob("6bytes")));
    other = child;
    other.role = ChunkRole::kMetadata;
    EXPECT_EQ(refused(other, raw), Node(std::string(raw)).is_leaf());
    EXPECT_TRUE(refused(child, raw.substr(0, raw.size() - 1)));
    EXPECT_FALSE(refused(child, raw));
}

// A receiver's rules: no text, time or payload that has to do with "bad" or 13.
class Rules : public ContentCheck {
  public:
    const char* CheckText(std::string_view text) override { return Judge(text.find("bad") == text.npos); }
    const char* CheckTime(Timestamp time) override { return Judge(time != 13); }
    const char* CheckPayload(ValueType, std::string_view payload) override {
        return Judge(payload.find("bad") == payload.npos);
    }

  private:
    static const char* Judge(bool fine) { return fine ? nullptr : "something that is not welcome"; }
};

TEST(ObjectWalk, AsksTheReceiverAboutContents) {
    Fixture f;
    Rules rules;
    const auto is_welcome = [&](const std::string& key, const std::string& item, const Metadata& metadata) {
        TreeEditor data(f.store, kEmptyRoot);
        TreeEditor meta(f.store, kEmptyRoot);
        data.Put(key, item);
        meta.Put(key, EncodeMetadata(metadata));
        Commit commit;
        commit.data_root = data.Finish();
        commit.meta_root = meta.Finish();
        f.Walk(commit, nullptr);
        try {
            f.Walk(commit, nullptr, 100, &rules);
            return true;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::kCorruption);
            return false;
        }
    };
    Metadata good;
    good.version = 1;
    EXPECT_TRUE(is_welcome("key", f.Item("good"), good));
    EXPECT_FALSE(is_welcome("bad", f.Item("good"), good));
    EXPECT_FALSE(is_welcome("key", f.Item("bad"), good));
    EXPECT_FALSE(is_welcome("key", f.Item(std::string(3000, 'x') + "bad"), good));
    DataItem expiring;
    expiring.payload = "good";
    expiring.expires_at = 13;
    EXPECT_FALSE(is_welcome("key", EncodeDataItem(expiring), good));
    Metadata bad = good;
    bad.modified_by = "bad";
    EXPECT_FALSE(is_welcome("key", f.Item("good"), bad));
    bad = good;
    bad.comment = "bad";
    EXPECT_FALSE(is_welcome("key", f.Item("good"), bad));
    bad = good;
    bad.schema_hash = "bad";
    EXPECT_FALSE(is_welcome("key", f.Item("good"), bad));
    bad = good;
    bad.tags = {"good", "bad"};
    EXPECT_FALSE(is_welcome("key", f.Item("good"), bad));
    bad = good;
    bad.created_at = 13;
    EXPECT_FALSE(is_welcome("key", f.Item("good"), bad));
    bad = good;
    bad.updated_at = 13;
    EXPECT_FALSE(is_welcome("key", f.Item("good"), bad));
}

// A leaf of a data tree where metadata should be, and the other way round.
TEST(ObjectWalk, RefusesItemsOfTheOtherTree) {
    Fixture f;
    const Commit commit = f.Change(InitialCommit(), {{"key", "value"}});
    Commit swapped = commit;
    std::swap(swapped.data_root, swapped.meta_root);
    EXPECT_THROW(f.Walk(swapped, nullptr), Error);
    EXPECT_EQ(f.Walk(commit, nullptr).size(), 2U);
    // Of other trees nobody knows what the values are.
    Commit other = InitialCommit();
    other.trees = {{"one", commit.data_root}, {"two", commit.meta_root}};
    EXPECT_EQ(f.Walk(other, nullptr).size(), 2U);
}

}  // namespace
}  // namespace kvs
