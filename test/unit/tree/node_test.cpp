#include "kvs/tree/node.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <iterator>

#include "support.h"

namespace kvs::test {
namespace {

std::string EncodeLeaf(const Entries& entries) {
    NodeBuilder builder(0);
    for (const auto& [key, value] : entries) {
        builder.AddEntry(key, value);
    }
    return builder.Encode();
}

// An internal node above one child per entry: the child's address and count are made from the value.
std::string EncodeInternal(const Entries& entries, int level) {
    NodeBuilder builder(level);
    for (const auto& [key, value] : entries) {
        Hash child;
        child.bytes.fill(static_cast<uint8_t>(value.size()));
        builder.AddChild(key, child, value.size() + 1);
    }
    return builder.Encode();
}

// The same node, from what its accessors tell.
std::string Reencode(const Node& node) {
    NodeBuilder builder(node.level());
    std::string key;
    for (size_t i = 0; i < node.count(); ++i) {
        if (node.is_leaf()) {
            builder.AddEntry(node.Key(i, &key), node.Value(i));
        } else {
            builder.AddChild(node.Key(i, &key), node.ChildHash(i), node.ChildEntries(i));
        }
    }
    return builder.Encode();
}

ErrorCode ParseError(const std::string& bytes) {
    const Result<NodeRef> node = Node::Parse(bytes);
    if (node.ok()) {
        ADD_FAILURE() << "accepted";
        return ErrorCode::kNotFound;
    }
    return node.error().code();
}

std::string ToHex(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (const char byte : bytes) {
        hex.push_back(kDigits[static_cast<uint8_t>(byte) >> 4]);
        hex.push_back(kDigits[static_cast<uint8_t>(byte) & 15]);
    }
    return hex;
}

// The digits of a golden file, without its line breaks and spaces.
std::string ReadGolden(const std::string& name) {
    std::ifstream file(std::string(KVS_TEST_DIR) + "/unit/tree/golden/" + name);
    std::string digits;
    std::string word;
    while (file >> word) {
        digits += word;
    }
    return digits;
}

const Entries kGoldenEntries = {
    {"user:00000001", R"({"name": "Ada"})"},
    {"user:00000002", ""},
    {"user:1", std::string("\x00\xff\x7f", 3)},
};

TEST(NodeTest, GoldenLeaf) {
    const std::string encoded = EncodeLeaf(kGoldenEntries);
    EXPECT_EQ(ToHex(encoded), ReadGolden("leaf.hex"));
    OpenSslHasher hasher;
    EXPECT_EQ(ChunkAddress(hasher, encoded).ToHex(), ReadGolden("leaf_address.hex"));
}

TEST(NodeTest, GoldenInternalNode) {
    const std::string encoded = EncodeInternal(kGoldenEntries, 3);
    EXPECT_EQ(ToHex(encoded), ReadGolden("internal.hex"));
    OpenSslHasher hasher;
    EXPECT_EQ(ChunkAddress(hasher, encoded).ToHex(), ReadGolden("internal_address.hex"));
}

TEST(NodeTest, GoldenRoot) {
    // 100,000 entries as docs/node-format.md describes them; an independent implementation gets the same
    // root.
    TestStore store;
    TreeEditor editor(store.nodes, kEmptyRoot);
    for (uint64_t i = 0; i < 100000; ++i) {
        char key[32];
        std::snprintf(key, sizeof(key), "user:%08llu", static_cast<unsigned long long>(i));
        editor.Put(key, "value " + std::to_string(i * i));
    }
    EXPECT_EQ(editor.Finish().ToHex(), ReadGolden("root.hex"));
}

TEST(NodeTest, LeafAccessors) {
    const NodeRef node = Node::Parse(EncodeLeaf(kGoldenEntries)).OrThrow();
    EXPECT_EQ(node->level(), 0);
    EXPECT_TRUE(node->is_leaf());
    EXPECT_EQ(node->count(), 3u);
    EXPECT_EQ(node->entries(), 3u);
    EXPECT_EQ(node->prefix(), "user:");
    EXPECT_EQ(node->KeySuffix(0), "00000001");
    EXPECT_EQ(node->KeySuffix(2), "1");
    std::string key = "what was there before";
    EXPECT_EQ(node->Key(1, &key), "user:00000002");
    EXPECT_EQ(node->Value(0), R"({"name": "Ada"})");
    EXPECT_EQ(node->Value(1), "");
    EXPECT_EQ(node->Value(2), std::string_view("\x00\xff\x7f", 3));
}

TEST(NodeTest, InternalAccessors) {
    const NodeRef node = Node::Parse(EncodeInternal(kGoldenEntries, 3)).OrThrow();
    EXPECT_EQ(node->level(), 3);
    EXPECT_FALSE(node->is_leaf());
    EXPECT_EQ(node->count(), 3u);
    EXPECT_EQ(node->entries(), 16u + 1 + 4);
    EXPECT_EQ(node->ChildEntries(0), 16u);
    EXPECT_EQ(node->ChildEntries(2), 4u);
    EXPECT_EQ(node->ChildHash(2).bytes[31], 3);
}

TEST(NodeTest, EmptyLeafIsTheEmptyRoot) {
    const std::string encoded = NodeBuilder(0).Encode();
    OpenSslHasher hasher;
    EXPECT_EQ(ChunkAddress(hasher, encoded).ToHex(), kEmptyRoot.ToHex());
    const NodeRef node = Node::Parse(encoded).OrThrow();
    EXPECT_EQ(node->count(), 0u);
    EXPECT_EQ(node->LowerBound("a"), 0u);
    EXPECT_FALSE(node->Find(""));
}

TEST(NodeTest, EmptyInternalNodeIsRefused) {
    EXPECT_EQ(ParseError(NodeBuilder(1).Encode()), ErrorCode::kCorruption);
}

TEST(NodeTest, BorrowedBytesAreReadInPlace) {
    const std::string encoded = EncodeLeaf(kGoldenEntries);
    const Node node(Node::Borrowed{encoded});
    EXPECT_EQ(node.bytes().data(), encoded.data());
    EXPECT_EQ(node.Value(0), R"({"name": "Ada"})");
}

TEST(NodeTest, KeysOfOneNodeMustAscend) {
    NodeBuilder builder(0);
    builder.AddEntry("b", "");
    EXPECT_THROW(builder.AddEntry("b", ""), Error);
    EXPECT_THROW(builder.AddEntry("a", ""), Error);
}

// Runs of items of other nodes, whose prefixes are longer or shorter, between items added by themselves.
TEST(NodeTest, RunsAreAddedAsTheirItems) {
    const Entries entries = {{"a", "1"},        {"user:1", "22"}, {"user:10", ""},
                             {"user:2", "333"}, {"user:20", "4"}, {"v", "55555"}};
    const std::vector<std::string> keys = [&] {
        std::vector<std::string> all;
        for (const auto& entry : entries) {
            all.push_back(entry.first);
        }
        return all;
    }();
    const auto encode = [](const Entries& part, int level) {
        return level == 0 ? EncodeLeaf(part) : EncodeInternal(part, level);
    };
    for (const int level : {0, 1}) {
        for (size_t begin = 0; begin < keys.size(); ++begin) {
            for (size_t end = begin + 1; end <= keys.size(); ++end) {
                // A node of some of the items, of which a run is taken.
                const Entries part(entries.find(keys[begin]), std::next(entries.find(keys[end - 1])));
                const Node source(encode(part, level));
                for (size_t first = 0; first < part.size(); ++first) {
                    for (size_t last = first; last <= part.size(); ++last) {
                        NodeBuilder builder(level);
                        const Node whole(encode(entries, level));
                        builder.AddItems(whole, 0, begin + first);
                        builder.AddItems(source, first, last);
                        builder.AddItems(whole, begin + last, entries.size());
                        EXPECT_EQ(builder.count(), entries.size());
                        EXPECT_EQ(builder.entries(), whole.entries());
                        EXPECT_EQ(builder.Encode(), whole.bytes());
                        EXPECT_THROW(builder.AddItems(source, first, first + 1), Error);
                    }
                }
            }
        }
    }
}

TEST(NodeTest, NodeAboveTheLimitIsAnError) {
    NodeBuilder builder(0);
    for (char key = 'a'; key < 'p'; ++key) {
        builder.AddEntry(std::string(1, key), std::string(kMaxItemValueSize, 'v'));
    }
    EXPECT_LE(builder.Encode().size(), kMaxNodeSize);
    builder.AddEntry("p", std::string(kMaxItemValueSize, 'v'));
    try {
        builder.Encode();
        FAIL() << "encoded";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kLimitExceeded);
    }
    EXPECT_THROW(builder.AddEntry("q", std::string(kMaxItemValueSize + 1, 'v')), Error);
    EXPECT_THROW(builder.AddEntry(std::string(kMaxKeySize + 1, 'q'), ""), Error);
}

TEST(NodeTest, LargestNodeOfTheTreeRoundTrips) {
    NodeBuilder builder(0);
    Entries entries;
    for (int i = 0; i < 4; ++i) {
        std::string key(kMaxKeySize, 'k');
        key.back() = static_cast<char>('0' + i);
        entries[key] = std::string(kMaxItemValueSize, 'v');
    }
    const NodeRef node = Node::Parse(EncodeLeaf(entries)).OrThrow();
    EXPECT_EQ(node->prefix().size(), kMaxKeySize - 1);
    EXPECT_EQ(node->Value(3).size(), kMaxItemValueSize);
}

// Faults that no mutation of a single byte makes.
TEST(NodeTest, FaultsAreRefused) {
    const std::string leaf = EncodeLeaf({{"a", "1"}, {"b", "2"}});
    const std::string internal = EncodeInternal({{"a", "1"}, {"b", "2"}}, 1);
    const auto with = [](std::string bytes, size_t at, std::initializer_list<int> values) {
        for (const int value : values) {
            bytes.at(at++) = static_cast<char>(value);
        }
        return bytes;
    };
    ASSERT_TRUE(Node::Parse(leaf).ok());
    ASSERT_TRUE(Node::Parse(internal).ok());
    const std::string faults[] = {
        "",
        leaf + "x",
        internal + "x",
        std::string(kMaxNodeSize + 1, '\x01'),
        with(leaf, 0, {2}),                                                        // version
        with(leaf, 1, {kMaxLevel + 1}),                                            // level
        with(leaf, 1, {kBlobLevel}),                                               // a blob
        with(leaf, 2, {0, 0}),                                                     // no item, but bytes
        with(leaf, 2, {0xff, 0xff}),                                               // more items than bytes
        with(leaf, 4, {0xff, 0xff}),                                               // prefix beyond the end
        with(leaf, 6, {1}),                                                        // reserved
        with(leaf, 8, {3}),                                                        // entries
        with(leaf, 16, {2, 0, 1, 0}),                                              // key ends descend
        with(leaf, 16, {1, 0, 0xff, 0xff}),                                        // key beyond the end
        with(leaf, 20, {2, 0, 1, 0}),                                              // value ends descend
        with(leaf, 20, {1, 0, 3, 0}),                                              // value beyond the end
        with(leaf, 24, {'b', 'a'}),                                                // keys descend
        with(leaf, 24, {'b', 'b'}),                                                // keys repeat
        with(internal, 8, {1}),                                                    // entries
        with(internal, 16 + 4, {0, 0, 0, 0, 0, 0, 0, 0}),                          // a child without entries
        with(internal, 16 + 4, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),  // overflow
    };
    for (const std::string& fault : faults) {
        EXPECT_EQ(ParseError(fault), ErrorCode::kCorruption) << ToHex(fault);
    }

    // An offset between two right ones.
    EXPECT_EQ(ParseError(with(EncodeLeaf({{"a", ""}, {"bb", ""}, {"c", ""}}), 18, {0, 0})),
              ErrorCode::kCorruption);
    // A prefix that is not the longest: the same keys in other bytes.
    std::string unshared = EncodeLeaf({{"a1", ""}, {"a2", ""}});
    unshared = with(unshared, 4, {0, 0});
    unshared = with(unshared, 16, {2, 0, 4, 0});
    unshared.insert(unshared.size() - 1, "a");
    EXPECT_EQ(ParseError(unshared), ErrorCode::kCorruption);
    std::string single = EncodeLeaf({{"a", ""}});
    single = with(single, 4, {0, 0});
    single = with(single, 16, {1, 0});
    EXPECT_EQ(ParseError(single), ErrorCode::kCorruption);
    // A key and a value above their limits.
    std::string long_key = EncodeLeaf({{std::string(kMaxKeySize, 'k'), ""}});
    long_key = with(long_key, 4, {1, 8});
    long_key += 'k';
    EXPECT_EQ(ParseError(long_key), ErrorCode::kCorruption);
    std::string long_suffix = EncodeLeaf({{"", ""}, {std::string(kMaxKeySize, 'k'), ""}});
    long_suffix = with(long_suffix, 18, {1, 8});
    long_suffix += 'k';
    EXPECT_EQ(ParseError(long_suffix), ErrorCode::kCorruption);
    std::string long_value = EncodeLeaf({{"k", std::string(kMaxItemValueSize, 'v')}});
    long_value = with(long_value, 18, {1, 16});
    long_value += 'v';
    EXPECT_EQ(ParseError(long_value), ErrorCode::kCorruption);
}

// Entries of a few shapes, small enough to take apart byte by byte.
rc::Gen<Entries> SmallEntries() {
    return rc::gen::map(rc::gen::pair(rc::gen::inRange<int>(0, 30), rc::gen::arbitrary<uint32_t>()),
                        [](const std::pair<int, uint32_t>& spec) {
                            Random random(spec.second);
                            const KeyShape shape = kAllKeyShapes[Below(random, std::size(kAllKeyShapes))];
                            const int limit = shape == KeyShape::kHuge ? 8 : 30;
                            Entries entries;
                            for (int i = 0; i < spec.first % limit; ++i) {
                                entries[MakeKey(shape, Below(random, 1000))] =
                                    RandomBytes(random, Below(random, 40));
                            }
                            return entries;
                        });
}

RC_GTEST_PROP(NodeProperty, LeafRoundTrips, ()) {
    const Entries entries = *SmallEntries();
    const NodeRef node = Node::Parse(EncodeLeaf(entries)).OrThrow();
    RC_ASSERT(node->count() == entries.size());
    RC_ASSERT(node->entries() == entries.size());
    size_t i = 0;
    std::string buffer;
    for (const auto& [key, value] : entries) {
        RC_ASSERT(node->Key(i, &buffer) == key);
        RC_ASSERT(std::string(node->prefix()) + std::string(node->KeySuffix(i)) == key);
        RC_ASSERT(node->Value(i) == value);
        RC_ASSERT(node->Find(key) == std::optional(i));
        ++i;
    }
    RC_ASSERT(Reencode(*node) == node->bytes());
}

RC_GTEST_PROP(NodeProperty, InternalNodeRoundTrips, ()) {
    const Entries entries = *SmallEntries();
    RC_PRE(!entries.empty());
    const NodeRef node = Node::Parse(EncodeInternal(entries, *rc::gen::inRange(1, kMaxLevel + 1))).OrThrow();
    size_t i = 0;
    std::string buffer;
    for (const auto& [key, value] : entries) {
        RC_ASSERT(node->Key(i, &buffer) == key);
        RC_ASSERT(node->ChildEntries(i) == value.size() + 1);
        RC_ASSERT(node->ChildHash(i).bytes[7] == static_cast<uint8_t>(value.size()));
        ++i;
    }
    RC_ASSERT(Reencode(*node) == node->bytes());
}

RC_GTEST_PROP(NodeProperty, SearchIsThatOfASortedMap, ()) {
    const Entries entries = *SmallEntries();
    const NodeRef node = Node::Parse(EncodeLeaf(entries)).OrThrow();
    // Keys that are there, keys near them, and others.
    std::vector<std::string> probes = {
        "", "a", "user:", "user:0000", std::string(1, '\xff'), std::string(1, '\0')};
    for (const auto& [key, value] : entries) {
        probes.push_back(key);
        probes.push_back(key + '\0');
        probes.push_back(key.substr(0, key.size() / 2));
        probes.push_back(key.substr(0, key.size() - 1));
        std::string changed = key;
        changed[*rc::gen::inRange<size_t>(0, key.size())] ^= 0x80;
        probes.push_back(changed);
    }
    for (const std::string& probe : probes) {
        const size_t expected = std::distance(entries.begin(), entries.lower_bound(probe));
        RC_ASSERT(node->LowerBound(probe) == expected);
        RC_ASSERT(node->Find(probe).has_value() == entries.contains(probe));
        for (size_t i = 0; i < node->count(); ++i) {
            const int order = node->CompareKey(i, probe);
            RC_ASSERT((order < 0) == (i < expected));
            RC_ASSERT((order == 0) == (entries.contains(probe) && i == expected));
        }
    }
}

RC_GTEST_PROP(NodeProperty, EveryTruncationIsRefused, ()) {
    const Entries entries = *SmallEntries();
    const std::string encoded =
        entries.empty() || *rc::gen::arbitrary<bool>() ? EncodeLeaf(entries) : EncodeInternal(entries, 2);
    for (size_t size = 0; size < encoded.size(); ++size) {
        RC_ASSERT(!Node::Parse(encoded.substr(0, size)).ok());
    }
}

// Whatever bytes are accepted are the one encoding of what they say: a mutant is refused or is another node.
RC_GTEST_PROP(NodeProperty, MutantsAreRefusedOrCanonical, ()) {
    const Entries entries = *SmallEntries();
    const std::string encoded =
        entries.empty() || *rc::gen::arbitrary<bool>() ? EncodeLeaf(entries) : EncodeInternal(entries, 2);
    const auto seed = *rc::gen::arbitrary<uint32_t>();
    Random random(seed);
    for (size_t at = 0; at < encoded.size(); ++at) {
        for (const int change : {1, 0x80, static_cast<int>(1 + Below(random, 255))}) {
            std::string mutant = encoded;
            mutant[at] = static_cast<char>(mutant[at] ^ change);
            const Result<NodeRef> node = Node::Parse(mutant);
            if (node.ok()) {
                RC_ASSERT(Reencode(*node.value()) == mutant);
            } else {
                RC_ASSERT(node.error().code() == ErrorCode::kCorruption);
            }
        }
    }
}

}  // namespace
}  // namespace kvs::test
