// What it costs to find the subscriptions of a change, with few of them and with many.
//
//   build/core/bench_event_bench
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "kvs/event/pattern_trie.h"
#include "kvs/pattern/pattern.h"

namespace kvs {
namespace {

// Of `count` patterns two match the key: one of its own level, and user:#.
void BM_Match(benchmark::State& state) {
    PatternTrie trie;
    trie.Add(Pattern::Parse("user:#").OrThrow(), 0);
    for (int64_t i = 1; i < state.range(0); i++) {
        const std::string id = std::to_string(i);
        const std::string kinds[] = {"user:" + id, "user:" + id + ":+", "user:" + id + "x*",
                                     "team/" + id + ":#"};
        trie.Add(Pattern::Parse(kinds[i % 4]).OrThrow(), static_cast<uint64_t>(i));
    }
    std::vector<uint64_t> numbers;
    for (auto _ : state) {
        numbers.clear();
        trie.Match("user:4", &numbers);
        benchmark::DoNotOptimize(numbers.data());
    }
    if (numbers.size() != 2) {
        state.SkipWithError("another number of patterns matches");
    }
}
BENCHMARK(BM_Match)->Arg(10)->Arg(1000)->Arg(100000);

}  // namespace
}  // namespace kvs
