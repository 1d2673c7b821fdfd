#include "pg/transfer/commit_sort.h"

namespace kvs::pg {

namespace {

enum SortColumn { kGenerationColumn = 1, kEncodedColumn };

}  // namespace

CommitSort::CommitSort()
    : rows_({{"generation", INT8OID}, {"encoded", BYTEAOID}}, {kGenerationColumn}, maintenance_work_mem) {}

void CommitSort::Add(uint64_t generation, std::string_view encoded) {
    rows_.Add([&](Datum* values) {
        values[kGenerationColumn - 1] = Int64GetDatum(static_cast<int64>(generation));
        values[kEncodedColumn - 1] = MakeVarlena(encoded);
    });
}

std::string_view CommitSort::encoded() const {
    return rows_.Bytes(kEncodedColumn);
}

}  // namespace kvs::pg
