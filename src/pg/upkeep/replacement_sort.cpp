#include "pg/upkeep/replacement_sort.h"

namespace kvs::pg {

namespace {

enum SortColumn { kGenerationColumn = 1, kOldColumn, kNewColumn };

constexpr RowSort::Column kGeneration = {"generation", INT8OID};
constexpr RowSort::Column kOld = {"old_chunk", BYTEAOID};
constexpr RowSort::Column kNew = {"new_chunk", BYTEAOID};

}  // namespace

ReplacementSort::ReplacementSort(Order order, int memory)
    : rows_(order == Order::kByGeneration
                ? RowSort({kGeneration, kOld, kNew}, {kGenerationColumn, kOldColumn}, memory)
                : RowSort({kGeneration, kOld, kNew}, {kOldColumn, kGenerationColumn}, memory)) {}

void ReplacementSort::Add(const Replacement& replacement) {
    count_++;
    rows_.Add([&](Datum* values) {
        values[kGenerationColumn - 1] = Int64GetDatum(replacement.generation);
        values[kOldColumn - 1] = HashDatum(replacement.old_chunk);
        values[kNewColumn - 1] = HashDatum(replacement.new_chunk);
    });
}

bool ReplacementSort::Next(Replacement* replacement) {
    if (!rows_.Next()) {
        return false;
    }
    replacement->generation = rows_.Int8(kGenerationColumn);
    replacement->old_chunk = Hash::FromBytes(rows_.Bytes(kOldColumn));
    replacement->new_chunk = Hash::FromBytes(rows_.Bytes(kNewColumn));
    return true;
}

}  // namespace kvs::pg
