// A set of positions of the stream, as runs of neighbours: what a consumer is done with is a few of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace kvs {

class PositionSet {
  public:
    // The runs, by their first positions: first -> last. No two touch.
    using Runs = std::map<int64_t, int64_t>;

    // Adds all from `first` to `last`; nothing if last < first.
    void Add(int64_t first, int64_t last);
    void Add(int64_t pos) { Add(pos, pos); }
    void Add(const PositionSet& other);

    void RemoveUpTo(int64_t pos);

    bool Has(int64_t pos) const { return EndOfRun(pos) >= pos; }

    // The last position of the run that `pos` is in; pos - 1 if it is in none.
    int64_t EndOfRun(int64_t pos) const;

    bool IsEmpty() const { return runs_.empty(); }
    const Runs& runs() const { return runs_; }

    bool operator==(const PositionSet&) const = default;

  private:
    Runs runs_;
};

}  // namespace kvs
