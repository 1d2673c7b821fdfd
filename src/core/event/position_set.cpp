#include "kvs/event/position_set.h"

#include <algorithm>
#include <iterator>

namespace kvs {

void PositionSet::Add(int64_t first, int64_t last) {
    if (last < first) {
        return;
    }
    // The first run that touches or overlaps, and all behind it that do.
    auto run = runs_.upper_bound(first);
    if (run != runs_.begin() && std::prev(run)->second >= first - 1) {
        --run;
    }
    while (run != runs_.end() && run->first <= last + 1) {
        first = std::min(first, run->first);
        last = std::max(last, run->second);
        run = runs_.erase(run);
    }
    runs_.emplace_hint(run, first, last);
}

void PositionSet::Add(const PositionSet& other) {
    for (const auto& [first, last] : other.runs_) {
        Add(first, last);
    }
}

void PositionSet::RemoveUpTo(int64_t pos) {
    while (!runs_.empty() && runs_.begin()->first <= pos) {
        const int64_t last = runs_.begin()->second;
        runs_.erase(runs_.begin());
        if (last > pos) {
            runs_.emplace_hint(runs_.begin(), pos + 1, last);
        }
    }
}

int64_t PositionSet::EndOfRun(int64_t pos) const {
    const auto behind = runs_.upper_bound(pos);
    return behind == runs_.begin() ? pos - 1 : std::max(pos - 1, std::prev(behind)->second);
}

}  // namespace kvs
