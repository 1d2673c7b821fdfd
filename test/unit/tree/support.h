// What the tests of the tree share: entries of many shapes, a naive builder as oracle, and a store with a
// hasher.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/error.h"
#include "kvs/local/openssl_hasher.h"
#include "kvs/tree/check.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/cursor.h"
#include "kvs/tree/editor.h"
#include "kvs/tree/node_builder.h"
#include "kvs/tree/splitter.h"
#include "unit/damageable_node_store.h"

namespace kvs::test {

using Entries = std::map<std::string, std::string>;
using Random = std::mt19937_64;

struct TestStore {
    OpenSslHasher hasher;
    DamageableNodeStore nodes{hasher};
};

inline uint64_t Below(Random& random, uint64_t limit) {
    return std::uniform_int_distribution<uint64_t>(0, limit - 1)(random);
}

inline std::string RandomBytes(Random& random, size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) {
        byte = static_cast<char>(random());
    }
    return bytes;
}

// Numbers made from a number: cheap, unlike seeding a Random.
class Scrambler {
  public:
    explicit Scrambler(uint64_t seed) : state_(seed) {}

    // The step of SplitMix64 (Steele, Lea, Flood 2014).
    uint64_t operator()() {
        uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
        return mixed ^ mixed >> 31;
    }

  private:
    uint64_t state_;
};

enum class KeyShape { kSequential, kRandom, kUuid, kPrefix, kLowEntropy, kHuge, kBinary };

constexpr KeyShape kAllKeyShapes[] = {KeyShape::kSequential, KeyShape::kRandom,     KeyShape::kUuid,
                                      KeyShape::kPrefix,     KeyShape::kLowEntropy, KeyShape::kHuge,
                                      KeyShape::kBinary};

// Key number `i` of a shape: different numbers give different keys.
inline std::string MakeKey(KeyShape shape, uint64_t i) {
    char text[64];
    Scrambler random(i);
    switch (shape) {
        case KeyShape::kSequential:
            std::snprintf(text, sizeof(text), "user:%08llu", static_cast<unsigned long long>(i));
            return text;
        case KeyShape::kRandom: {
            std::string key = "k" + std::to_string(random());
            return key.substr(0, 4 + random() % 12) + ":" + std::to_string(i);
        }
        case KeyShape::kUuid:
            std::snprintf(text, sizeof(text), "%08llx-%04llx-4%03llx-%04llx-%012llx",
                          static_cast<unsigned long long>(random() & 0xffffffff),
                          static_cast<unsigned long long>(random() & 0xffff),
                          static_cast<unsigned long long>(random() & 0xfff),
                          static_cast<unsigned long long>(random() & 0xffff),
                          static_cast<unsigned long long>(i));
            return text;
        case KeyShape::kPrefix: {
            std::string key(150, 'p');
            key += "/tenants/" + std::to_string(i % 7) + "/documents:" + std::to_string(i);
            return key;
        }
        case KeyShape::kLowEntropy: {
            // A number in base 2 over the letters a and b: long runs of equal bytes.
            std::string key(24, 'a');
            for (size_t bit = 0; bit < key.size(); ++bit) {
                if ((i >> bit & 1) != 0) {
                    key[key.size() - 1 - bit] = 'b';
                }
            }
            return key;
        }
        case KeyShape::kHuge: {
            std::string key = std::to_string(random() % 1000) + "-" + std::to_string(i) + "-";
            key.resize(kMaxKeySize - random() % 800, 'x');
            return key;
        }
        case KeyShape::kBinary: {
            // Bytes 0x00, 0x01, 0x7f, 0x80, 0xff of varying number: what signed comparison gets wrong.
            static constexpr char kBytes[] = {'\x00', '\x01', '\x7f', '\x80', '\xff'};
            std::string key;
            for (uint64_t rest = i + 1; rest > 0; rest /= 5) {
                key.push_back(kBytes[rest % 5]);
            }
            return key;
        }
    }
    return {};
}

// Mostly small values, now and then one of up to the limit.
inline std::string MakeValue(Random& random) {
    const uint64_t kind = random() % 20;
    return RandomBytes(random, kind == 0  ? Below(random, 4097)
                               : kind < 4 ? Below(random, 600)
                                          : Below(random, 160));
}

inline Entries MakeEntries(KeyShape shape, size_t count, uint64_t seed) {
    Random random(seed);
    Entries entries;
    for (size_t i = 0; i < count; ++i) {
        entries[MakeKey(shape, i)] = MakeValue(random);
    }
    return entries;
}

// The tree of `entries` by definition, level by level, without the editor.
inline Hash BuildNaively(NodeStore& store, const Entries& entries) {
    struct Child {
        std::string last_key;
        Hash address;
        uint64_t entries;
    };
    std::vector<Child> nodes;
    const auto close = [&](NodeBuilder& builder, std::vector<Child>& out) {
        out.push_back({std::string(builder.last_key()), {}, builder.entries()});
        out.back().address = store.WriteNode(builder.Encode());
        builder.Clear();
    };
    {
        NodeBuilder builder(0);
        Splitter splitter(0);
        for (const auto& [key, value] : entries) {
            builder.AddEntry(key, value);
            if (splitter.Add(key, LeafItemSize(key.size(), value.size()))) {
                close(builder, nodes);
            }
        }
        if (!builder.empty()) {
            close(builder, nodes);
        }
    }
    if (nodes.empty()) {
        return kEmptyRoot;
    }
    for (int level = 1; nodes.size() > 1; ++level) {
        std::vector<Child> above;
        NodeBuilder builder(level);
        Splitter splitter(level);
        for (const Child& child : nodes) {
            builder.AddChild(child.last_key, child.address, child.entries);
            if (splitter.Add(child.last_key, InternalItemSize(child.last_key.size()))) {
                close(builder, above);
            }
        }
        if (!builder.empty()) {
            close(builder, above);
        }
        nodes = std::move(above);
    }
    return nodes[0].address;
}

inline Hash Build(NodeStore& store, const Entries& entries) {
    TreeEditor editor(store, kEmptyRoot);
    for (const auto& [key, value] : entries) {
        editor.Put(key, value);
    }
    return editor.Finish();
}

// Value to put, or nullopt to delete.
using Batch = std::map<std::string, std::optional<std::string>>;

inline Hash Edit(NodeStore& store, const Hash& root, const Batch& batch) {
    TreeEditor editor(store, root);
    for (const auto& [key, value] : batch) {
        if (value) {
            editor.Put(key, *value);
        } else {
            editor.Delete(key);
        }
    }
    return editor.Finish();
}

inline void Apply(Entries& entries, const Batch& batch) {
    for (const auto& [key, value] : batch) {
        if (value) {
            entries[key] = *value;
        } else {
            entries.erase(key);
        }
    }
}

inline Entries ReadAll(NodeStore& store, const Hash& root) {
    Entries entries;
    Cursor cursor(store, root);
    for (bool valid = cursor.SeekFirst(); valid; valid = cursor.Next()) {
        entries.emplace_hint(entries.end(), cursor.key(), cursor.value());
    }
    return entries;
}

// Everything that CheckTree finds, one problem a line.
inline std::string Problems(NodeStore& store, const Hash& root) {
    std::string problems;
    CheckTree(store, root, [&problems](const Hash& address, const std::string& problem) {
        problems += address.ToHex() + ": " + problem + "\n";
    });
    return problems;
}

}  // namespace kvs::test
