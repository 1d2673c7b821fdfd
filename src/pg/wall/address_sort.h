// A set of addresses of any size, put in in any order and read in the order of the addresses: sorted by the
// server, in memory up to a limit and beyond it on disk.
#pragma once

#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/wall/row_sort.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class AddressSort {
  public:
    // `memory` in kB. `again`: it will be read more than once.
    explicit AddressSort(int memory = maintenance_work_mem, bool again = false);

    // An address with a number that the caller gives a meaning.
    void Add(const Hash& address, int64 number) { Add(address, number, {}); }

    // A node that is known to be whole.
    void AddNode(const Hash& address) { Add(address, -1, {}); }

    // A blob that the value of `key` refers to, with the size of the payload as it says.
    void AddBlob(const Hash& address, int64 size, std::string_view key) { Add(address, size, key); }

    // To be called once, before the first Next.
    void Sort() { rows_.Sort(); }

    // Moves to the next element, of which several may have one address; false after the last. Views are valid
    // until then.
    bool Next();

    std::string_view address() const { return address_; }
    int64 number() const { return number_; }
    bool is_blob() const { return number_ >= 0; }
    int64 blob_size() const { return number_; }
    std::string_view key() const { return key_; }

    // Back to before the first element.
    void Rewind() { rows_.Rewind(); }

    // Frees the sort's files. To be called on the normal way out.
    void Finish() { rows_.Finish(); }

  private:
    void Add(const Hash& address, int64 number, std::string_view key);

    RowSort rows_;
    std::string_view address_;
    int64 number_ = -1;
    std::string_view key_;
};

}  // namespace kvs::pg
