// Whole merges: the cursor, the merge of entries and the editors together, against a merge of whole maps.
#include <gtest/gtest.h>

#include "kvs/codec/item.h"
#include "kvs/entry/write_decision.h"
#include "kvs/merge/entry_merge.h"
#include "states.h"

namespace kvs::test {
namespace {

EntrySide Decode(const StoredEntry& entry) {
    EntrySide side;
    if (!entry.meta.empty()) {
        side.metadata = DecodeMetadata(entry.meta).OrThrow();
    }
    if (entry.item) {
        side.item = DecodeDataItem(*entry.item).OrThrow();
    }
    return side;
}

constexpr ChangeId kMergeChange = {{7}, 1};
constexpr Timestamp kMergeTime = 1'000'000;

StoredEntry Adopt(const EntrySide& ours, const Metadata& content, std::optional<std::string> item) {
    Metadata incoming = content;
    incoming.deleted = !item;
    const Metadata adopted =
        AdoptMetadata(ours.metadata ? &*ours.metadata : nullptr, incoming, {}, kMergeTime, kMergeChange);
    return {EncodeMetadata(adopted), std::move(item)};
}

// What a merge makes of one key; nullopt: ours stays as it is.
std::optional<StoredEntry> MergeKey(const StoredEntry& base, const StoredEntry& ours,
                                    const StoredEntry& theirs, const PolicySpec& policy, size_t* conflicts) {
    const EntrySide ours_side = Decode(ours);
    const EntrySide theirs_side = Decode(theirs);
    JsonTextCodec codec;
    MergedEntry merged = MergeEntry(Decode(base), ours_side, theirs_side, policy, codec);
    *conflicts += merged.conflicts.size();
    switch (merged.outcome) {
        case MergedEntry::Outcome::kOurs:
            return std::nullopt;
        case MergedEntry::Outcome::kTheirs:
            if (!theirs_side.metadata) {
                return StoredEntry{};
            }
            return Adopt(ours_side, *theirs_side.metadata, theirs.item);
        case MergedEntry::Outcome::kMerged:
            break;
    }
    Metadata metadata = *theirs_side.metadata;
    metadata.tags = merged.tags;
    metadata.schema_hash = merged.schema_hash;
    const std::optional<DataItem> item = merged.item();
    return Adopt(ours_side, metadata, item ? std::optional(EncodeDataItem(*item)) : std::nullopt);
}

struct Merged {
    TreePair trees;
    size_t conflicts = 0;
};

State MergeNaively(const State& base, const State& ours, const State& theirs, const PolicySpec& policy,
                   size_t* conflicts) {
    State merged = ours;
    for (const std::string& key : ChangedKeys(base, theirs)) {
        if (std::optional<StoredEntry> entry =
                MergeKey(Find(base, key), Find(ours, key), Find(theirs, key), policy, conflicts)) {
            if (entry->meta.empty()) {
                merged.erase(key);
            } else {
                merged[key] = *std::move(entry);
            }
        }
    }
    return merged;
}

Merged MergeTrees(NodeStore& store, const TreePair& base, const TreePair& ours, const TreePair& theirs,
                  const PolicySpec& policy) {
    Merged merged;
    TreeEditor data(store, ours.data_root);
    TreeEditor meta(store, ours.meta_root);
    const auto stored = [](const EntryState& state) {
        return StoredEntry{std::string(state.meta),
                           state.item ? std::optional(std::string(*state.item)) : std::nullopt};
    };
    MergeCursor cursor(store, base, ours, theirs);
    while (cursor.Next()) {
        const std::optional<StoredEntry> entry = MergeKey(stored(cursor.base()), stored(cursor.ours()),
                                                          stored(cursor.theirs()), policy, &merged.conflicts);
        if (!entry) {
            continue;
        }
        if (entry->item) {
            data.Put(cursor.key(), *entry->item);
        } else {
            data.Delete(cursor.key());
        }
        if (entry->meta.empty()) {
            meta.Delete(cursor.key());
        } else {
            meta.Put(cursor.key(), entry->meta);
        }
    }
    merged.trees = {data.Finish(), meta.Finish()};
    return merged;
}

std::string AnyDocument(Random& random) {
    std::string document = "{";
    for (const char* name : {"a", "b", "c"}) {
        if (Below(random, 3) != 0) {
            document += std::string("\"") + name + "\":" + std::to_string(Below(random, 3)) + ",";
        }
    }
    return document + "\"pad\":\"" + std::string(Below(random, 80), 'p') + "\"}";
}

// A history of one branch: writes as the metadata service makes them.
class History {
  public:
    History(State state, uint8_t log, KeyShape shape, size_t keys, Random& random)
        : state_(std::move(state)), shape_(shape), keys_(keys), random_(random) {
        change_.log_id[0] = log;
    }

    void Step() {
        const uint64_t first = Below(random_, keys_);
        switch (Below(random_, 10)) {
            case 0:
                for (auto [at, n] = std::pair(state_.lower_bound(Key(first)), Below(random_, 100));
                     n > 0 && at != state_.end(); --n, ++at) {
                    Delete(at->first);
                }
                break;
            case 1:
                for (uint64_t n = Below(random_, 100); n > 0; --n) {
                    Write(Key(first + n));
                }
                break;
            case 2:
            case 3:
                Delete(Key(first));
                break;
            default:
                Write(Key(first));
        }
    }

    void Write(const std::string& key) {
        WriteOptions options;
        if (Below(random_, 4) == 0) {
            options.tags = {{"t" + std::to_string(Below(random_, 3))}};
        }
        const std::string text = AnyDocument(random_);
        DataItem item = {ValueType::kJson, std::nullopt, text, std::nullopt};
        if (Below(random_, 6) == 0) {
            item.type = ValueType::kBytes;
        }
        if (Below(random_, 6) == 0) {
            item.expires_at = static_cast<Timestamp>(Below(random_, 5));
        }
        const std::optional<Metadata> old = Old(key);
        state_[key] = {EncodeMetadata(Decide({.options = options}, old)), EncodeDataItem(item)};
    }

    void Delete(const std::string& key) {
        const std::optional<Metadata> old = Old(key);
        if (old && !old->deleted) {
            state_[key] = {EncodeMetadata(Decide({.kind = WriteKind::kDelete}, old)), std::nullopt};
        }
    }

    const State& state() const { return state_; }

  private:
    std::string Key(uint64_t i) const { return MakeKey(shape_, i); }
    std::optional<Metadata> Old(const std::string& key) const {
        const auto entry = state_.find(key);
        return entry == state_.end() ? std::nullopt
                                     : std::optional(DecodeMetadata(entry->second.meta).OrThrow());
    }
    Metadata Decide(const WriteRequest& request, const std::optional<Metadata>& old) {
        const Previous previous(old ? &*old : nullptr, std::nullopt, ++now_);
        Metadata next = DecideWrite("", previous, request).metadata;
        ++change_.seq;
        next.change = change_;
        return next;
    }

    State state_;
    KeyShape shape_;
    size_t keys_;
    Random& random_;
    ChangeId change_;
    Timestamp now_ = 0;
};

State After(const State& from, size_t steps, uint8_t log, KeyShape shape, size_t keys, Random& random) {
    History history(from, log, shape, keys, random);
    for (size_t i = 0; i < steps; ++i) {
        history.Step();
    }
    return history.state();
}

State FirstState(KeyShape shape, size_t count, Random& random) {
    History history({}, 1, shape, count, random);
    for (size_t i = 0; i < count; ++i) {
        history.Write(MakeKey(shape, i));
    }
    return history.state();
}

const char* const kPolicies[] = {"conflict", "append", "set", "by:id", "counter", "lww", "max", "min"};

class ThreeWayTest : public testing::Test {
  protected:
    // Merges both ways, and by both means.
    void Check(const State& base, const State& ours, const State& theirs, const PolicySpec& policy) {
        size_t conflicts = 0;
        const State expected = MergeNaively(base, ours, theirs, policy, &conflicts);
        const Merged merged =
            MergeTrees(store_.nodes, BuildState(store_.nodes, base), BuildState(store_.nodes, ours),
                       BuildState(store_.nodes, theirs), policy);
        ASSERT_EQ(merged.trees, BuildState(store_.nodes, expected));
        ASSERT_EQ(merged.conflicts, conflicts);
        conflicts_ += conflicts;
    }

    TestStore store_;
    size_t conflicts_ = 0;
};

TEST_F(ThreeWayTest, TheFastMergeIsTheNaiveMerge) {
    for (const KeyShape shape : kAllKeyShapes) {
        const size_t count = shape == KeyShape::kHuge ? 100 : 800;
        Random random(static_cast<uint64_t>(shape));
        const State base = FirstState(shape, count, random);
        for (int round = 0; round < 24; ++round) {
            SCOPED_TRACE(testing::Message() << "shape " << static_cast<int>(shape) << " round " << round);
            const PolicySpec policy = ParseMergePolicy(kPolicies[round % 8]).OrThrow();
            const size_t steps = round % 3 == 0 ? 150 : 8;
            const size_t keys = count + count / 5;
            // Some changes are in both histories, as after a cherry-pick.
            const State common = After(base, Below(random, 5), 2, shape, keys, random);
            const State ours = After(common, Below(random, steps), 3, shape, keys, random);
            const State theirs = After(common, Below(random, steps), 4, shape, keys, random);
            ASSERT_NO_FATAL_FAILURE(Check(base, ours, theirs, policy));
            ASSERT_NO_FATAL_FAILURE(Check(base, theirs, ours, policy));
            ASSERT_NO_FATAL_FAILURE(Check(round % 2 == 0 ? State() : common, ours, theirs, policy));
        }
    }
    EXPECT_GT(conflicts_, 1000u);
}

TEST_F(ThreeWayTest, EdgesOfTreesAndLeaves) {
    Random random(1);
    const State base = FirstState(KeyShape::kSequential, 1500, random);
    const TreePair trees = BuildState(store_.nodes, base);
    const NodeRef root = store_.nodes.ReadNode(trees.data_root);
    ASSERT_EQ(root->level(), 1);
    ASSERT_GT(root->count(), 3u);
    std::string boundary;
    std::string next_boundary;
    root->Key(0, &boundary);
    root->Key(1, &next_boundary);

    std::vector<State> variants(1, base);
    const auto add = [&](auto change) {
        History history(base, static_cast<uint8_t>(variants.size() + 1), KeyShape::kSequential, 1500, random);
        change(history);
        variants.push_back(history.state());
    };
    const auto delete_from_to = [&](History& history, const std::string& from, const std::string& to) {
        for (auto entry = base.upper_bound(from); entry != base.end() && entry->first <= to; ++entry) {
            history.Delete(entry->first);
        }
    };
    add([](History& history) { history.Write("a"); });                     // before the first
    add([](History& history) { history.Write("z"); });                     // after the last
    add([&](History& history) { history.Delete(base.begin()->first); });   // the first
    add([&](History& history) { history.Delete(base.rbegin()->first); });  // the last
    add([&](History& history) { history.Delete(boundary); });
    add([&](History& history) { history.Write(boundary); });
    add([&](History& history) { history.Write(boundary + '\0'); });
    add([&](History& history) { delete_from_to(history, boundary, next_boundary); });  // a whole leaf
    add([&](History& history) { delete_from_to(history, "", next_boundary); });        // overlapping ranges
    add([&](History& history) { delete_from_to(history, boundary, "z"); });
    add([&](History& history) { delete_from_to(history, "", "z"); });  // everything
    variants.emplace_back();                                           // never written
    for (const State& ours : variants) {
        for (const State& theirs : variants) {
            ASSERT_NO_FATAL_FAILURE(Check(base, ours, theirs, {}));
        }
        ASSERT_NO_FATAL_FAILURE(Check({}, ours, base, {}));
    }
}

TEST_F(ThreeWayTest, DisjointMergesCommuteInTheDataRoot) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        Random random(seed);
        const State base = FirstState(KeyShape::kRandom, 600, random);
        // Even numbers are of ours, odd ones of theirs.
        State sides[2] = {base, base};
        for (size_t side = 0; side < 2; ++side) {
            History history(base, static_cast<uint8_t>(3 + side), KeyShape::kRandom, 700, random);
            for (size_t n = Below(random, 80); n > 0; --n) {
                const std::string key = MakeKey(KeyShape::kRandom, Below(random, 350) * 2 + side);
                if (Below(random, 3) == 0) {
                    history.Delete(key);
                } else {
                    history.Write(key);
                }
            }
            sides[side] = history.state();
        }
        const TreePair base_trees = BuildState(store_.nodes, base);
        const TreePair ours = BuildState(store_.nodes, sides[0]);
        const TreePair theirs = BuildState(store_.nodes, sides[1]);
        const Merged one = MergeTrees(store_.nodes, base_trees, ours, theirs, {});
        const Merged other = MergeTrees(store_.nodes, base_trees, theirs, ours, {});
        EXPECT_EQ(one.conflicts + other.conflicts, 0u);
        ASSERT_EQ(one.trees.data_root, other.trees.data_root);
        // A merge of what was merged changes nothing.
        EXPECT_EQ(MergeTrees(store_.nodes, theirs, one.trees, theirs, {}).trees, one.trees);
        EXPECT_EQ(MergeTrees(store_.nodes, base_trees, one.trees, base_trees, {}).trees, one.trees);
    }
}

}  // namespace
}  // namespace kvs::test
