#include "pg/wall/address_sort.h"

namespace kvs::pg {

namespace {

enum SortColumn { kAddressColumn = 1, kNumberColumn, kKeyColumn };

}  // namespace

AddressSort::AddressSort(int memory, bool again)
    : rows_({{"address", BYTEAOID}, {"number", INT8OID}, {"key", BYTEAOID}}, {kAddressColumn}, memory,
            again) {}

void AddressSort::Add(const Hash& address, int64 number, std::string_view key) {
    rows_.Add([&](Datum* values) {
        values[kAddressColumn - 1] = HashDatum(address);
        values[kNumberColumn - 1] = Int64GetDatum(number);
        values[kKeyColumn - 1] = MakeVarlena(key);
    });
}

bool AddressSort::Next() {
    const bool found = rows_.Next();
    if (found) {
        address_ = rows_.Bytes(kAddressColumn);
        number_ = rows_.Int8(kNumberColumn);
        key_ = rows_.Bytes(kKeyColumn);
    }
    return found;
}

}  // namespace kvs::pg
