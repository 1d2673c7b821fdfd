// Encoded commits, put in in any order and read parents first, by generation: sorted by the server, within
// maintenance_work_mem and beyond it on disk.
#pragma once

#include <cstdint>
#include <string_view>

#include "pg/wall/row_sort.h"

namespace kvs::pg {

class CommitSort {
  public:
    CommitSort();

    void Add(uint64_t generation, std::string_view encoded);

    // To be called once, before the first Next.
    void Sort() { rows_.Sort(); }

    // Moves to the next commit; false after the last.
    bool Next() { return rows_.Next(); }
    // Valid until then.
    std::string_view encoded() const;

    // Frees the sort's files. To be called on the normal way out.
    void Finish() { rows_.Finish(); }

  private:
    RowSort rows_;
};

}  // namespace kvs::pg
