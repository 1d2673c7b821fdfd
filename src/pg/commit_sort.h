// Encoded commits, put in in any order and read parents first, by generation: sorted by the server, within
// maintenance_work_mem and beyond it on disk.
#pragma once

#include <cstdint>
#include <string_view>

#include "pg/server.h"

namespace kvs::pg {

class CommitSort {
  public:
    CommitSort();

    void Add(uint64_t generation, std::string_view encoded);

    // To be called once, before the first Next.
    void Sort();

    // Moves to the next commit; false after the last.
    bool Next();
    // Valid until then.
    std::string_view encoded() const { return encoded_; }

    // Frees the sort's files. To be called on the normal way out.
    void Finish();

  private:
    void* sort_;  // Tuplesortstate
    TupleTableSlot* in_;
    TupleTableSlot* out_;
    MemoryContext row_context_;
    std::string_view encoded_;
};

}  // namespace kvs::pg
