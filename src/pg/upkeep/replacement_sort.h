// Pairs of a chunk and the one that replaced it, sorted by the server: within a part of maintenance_work_mem,
// and beyond it on disk.
#pragma once

#include "kvs/hash.h"
#include "pg/wall/row_sort.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct Replacement {
    Hash old_chunk;
    Hash new_chunk;
    int64 generation = 0;  // of the commit that has the new one
};

class ReplacementSort {
  public:
    enum class Order {
        kByOldChunk,    // of several of one chunk the earliest generation first
        kByGeneration,  // the earliest first
    };

    // `memory` in kB.
    ReplacementSort(Order order, int memory);

    void Add(const Replacement& replacement);
    int64 count() const { return count_; }

    // To be called once, before the first Next.
    void Sort() { rows_.Sort(); }

    // The next element; false after the last.
    bool Next(Replacement* replacement);

    // Frees the sort's files. To be called on the normal way out.
    void Finish() { rows_.Finish(); }

  private:
    RowSort rows_;
    int64 count_ = 0;
};

}  // namespace kvs::pg
