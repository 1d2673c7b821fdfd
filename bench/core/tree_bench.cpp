// What the tree costs by itself: over nodes in memory, without a database around it.
//
//   build/core/bench_tree_bench --benchmark_filter=Get
//
// Keys user:00000000 and up, values of 150 bytes; every store is filled once and then shared by its
// benchmarks.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "kvs/local/memory_node_store.h"
#include "kvs/local/openssl_hasher.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/cursor.h"
#include "kvs/tree/diff.h"
#include "kvs/tree/editor.h"
#include "kvs/tree/stats.h"
#include "kvs/tree/tree.h"

namespace kvs {
namespace {

constexpr size_t kValueSize = 150;

std::string Key(uint64_t i) {
    char key[32];
    std::snprintf(key, sizeof(key), "user:%08llu", static_cast<unsigned long long>(i));
    return key;
}

std::string Value(uint64_t i) {
    std::string value = std::to_string(i) + " of the benchmark's values ";
    value.resize(kValueSize, 'v');
    return value;
}

struct Loaded {
    OpenSslHasher hasher;
    MemoryNodeStore store{hasher};
    Hash root;
    uint64_t count = 0;

    explicit Loaded(uint64_t entries) : count(entries) {
        TreeEditor editor(store, kEmptyRoot);
        for (uint64_t i = 0; i < entries; ++i) {
            editor.Put(Key(i), Value(i));
        }
        root = editor.Finish();
        CollectTreeStats(store, root);  // reads, and so verifies, every node once
    }
};

Loaded& WithEntries(uint64_t count) {
    static std::map<uint64_t, std::unique_ptr<Loaded>> loaded;
    std::unique_ptr<Loaded>& slot = loaded[count];
    if (!slot) {
        slot = std::make_unique<Loaded>(count);
    }
    return *slot;
}

std::set<uint64_t> RandomNumbers(uint64_t below, size_t count, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::set<uint64_t> numbers;
    while (numbers.size() < count) {
        numbers.insert(random() % below);
    }
    return numbers;
}

Hash Edit(Loaded& loaded, size_t changes, uint64_t seed) {
    TreeEditor editor(loaded.store, loaded.root);
    for (const uint64_t i : RandomNumbers(loaded.count, changes, seed)) {
        editor.Put(Key(i), Value(i + seed));
    }
    return editor.Finish();
}

void BM_BuildSorted(benchmark::State& state) {
    const auto count = static_cast<uint64_t>(state.range(0));
    std::vector<std::string> keys;
    for (uint64_t i = 0; i < count; ++i) {
        keys.push_back(Key(i));
    }
    const std::string value = Value(0);
    for (auto _ : state) {
        OpenSslHasher hasher;
        MemoryNodeStore store(hasher);
        TreeEditor editor(store, kEmptyRoot);
        for (const std::string& key : keys) {
            editor.Put(key, value);
        }
        benchmark::DoNotOptimize(editor.Finish());
    }
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * count));
}
BENCHMARK(BM_BuildSorted)->Arg(1000000)->Unit(benchmark::kMillisecond);

void BM_GetRandom(benchmark::State& state) {
    Loaded& loaded = WithEntries(static_cast<uint64_t>(state.range(0)));
    std::vector<std::string> keys;
    std::mt19937_64 random(1);
    for (int i = 0; i < 1 << 16; ++i) {
        keys.push_back(Key(random() % loaded.count));
    }
    const Tree tree(loaded.store, loaded.root);
    size_t next = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(tree.Get(keys[next++ & 0xffff]));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_GetRandom)->Arg(10000)->Arg(100000)->Arg(1000000);

void BM_GetManySorted(benchmark::State& state) {
    Loaded& loaded = WithEntries(1000000);
    std::vector<std::string> keys;
    for (const uint64_t i : RandomNumbers(loaded.count, static_cast<size_t>(state.range(0)), 1)) {
        keys.push_back(Key(i));
    }
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    const Tree tree(loaded.store, loaded.root);
    for (auto _ : state) {
        size_t bytes = 0;
        tree.GetMany(views,
                     [&bytes](size_t, std::optional<std::string_view> value) { bytes += value->size(); });
        benchmark::DoNotOptimize(bytes);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_GetManySorted)->Arg(100)->Arg(10000);

void BM_Scan(benchmark::State& state) {
    Loaded& loaded = WithEntries(1000000);
    for (auto _ : state) {
        size_t bytes = 0;
        Cursor cursor(loaded.store, loaded.root);
        for (bool valid = cursor.SeekFirst(); valid; valid = cursor.Next()) {
            bytes += cursor.key().size() + cursor.value().size();
        }
        benchmark::DoNotOptimize(bytes);
    }
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * loaded.count));
}
BENCHMARK(BM_Scan)->Unit(benchmark::kMillisecond);

void BM_RangeOf1000(benchmark::State& state) {
    Loaded& loaded = WithEntries(1000000);
    std::mt19937_64 random(1);
    for (auto _ : state) {
        size_t bytes = 0;
        Cursor cursor(loaded.store, loaded.root);
        cursor.Seek(Key(random() % (loaded.count - 1000)));
        for (int i = 0; i < 1000; ++i) {
            bytes += cursor.key().size() + cursor.value().size();
            cursor.Next();
        }
        benchmark::DoNotOptimize(bytes);
    }
    state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(BM_RangeOf1000);

void BM_EditRandom(benchmark::State& state) {
    Loaded& loaded = WithEntries(1000000);
    const auto changes = static_cast<size_t>(state.range(0));
    uint64_t seed = 0;
    loaded.store.ResetCounters();
    for (auto _ : state) {
        benchmark::DoNotOptimize(Edit(loaded, changes, ++seed));
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
    const auto iterations = static_cast<double>(state.iterations());
    state.counters["reads"] = static_cast<double>(loaded.store.reads()) / iterations;
    state.counters["writes"] = static_cast<double>(loaded.store.writes()) / iterations;
}
BENCHMARK(BM_EditRandom)->Arg(1)->Arg(100)->Arg(10000)->Unit(benchmark::kMicrosecond);

void BM_DiffOf100(benchmark::State& state) {
    Loaded& loaded = WithEntries(static_cast<uint64_t>(state.range(0)));
    const Hash to = Edit(loaded, 100, 1);
    CollectTreeStats(loaded.store, to);
    loaded.store.ResetCounters();
    for (auto _ : state) {
        size_t changes = 0;
        DiffCursor diff(loaded.store, loaded.root, to);
        while (diff.Next()) {
            ++changes;
        }
        if (changes != 100) {
            state.SkipWithError("wrong number of changes");
            break;
        }
    }
    state.counters["reads"] =
        static_cast<double>(loaded.store.reads()) / static_cast<double>(state.iterations());
}
BENCHMARK(BM_DiffOf100)->Arg(10000)->Arg(100000)->Arg(1000000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace kvs
