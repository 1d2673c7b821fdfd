// The entries of an import in key order: read from a query by a cursor, sorted by the server within
// maintenance_work_mem and beyond it on disk, and readable more than once.
//
// Rows that come in key order, as those of a table read by its key do, need no sort: they are only kept,
// within work_mem and beyond it on disk. The first one that does not brings all of them into a sort.
#pragma once

#include <cstdint>
#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

class ImportSorter {
  public:
    ImportSorter();

    // Runs the query, as the current user, and sorts its rows (key text, value jsonb). Returns how many there
    // are. Errors: those of the query, 42804, 22004, 22023, 54000.
    int64 Load(std::string_view query);

    // Begins (again) with the first entry.
    void Rewind();

    // The next entry in key order; false after the last. Valid until the next call. Errors: 21000 for a key
    // that comes twice.
    bool Next();

    std::string_view key() const { return key_; }
    std::string_view payload() const { return payload_; }

    // Frees the sort's files. To be called on the normal way out.
    void Finish();

  private:
    void AddRow(void* tuple, void* row_type);
    void BeginSort();
    std::string_view PreviousKey() const { return {previous_key_, static_cast<size_t>(previous_size_)}; }
    void RememberKey(std::string_view key);

    // Where the rows are: kept in the order in which they came, until one is out of order.
    void* kept_ = nullptr;  // Tuplestorestate
    void* sort_ = nullptr;  // Tuplesortstate
    MemoryContext context_ = nullptr;
    TupleDesc row_type_ = nullptr;
    TupleTableSlot* slot_ = nullptr;
    std::string_view key_;
    std::string_view payload_;
    // The key added or read last, no key before the first one.
    char previous_key_[2049];
    int previous_size_ = -1;
};

}  // namespace kvs::pg
