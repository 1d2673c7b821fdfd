#include "pg/replacement_sort.h"

namespace kvs::pg {

namespace {

// The rank is the generation, negative where later ones come first.
enum SortColumn { kRankColumn = 1, kOldColumn, kNewColumn };

constexpr RowSort::Column kRank = {"rank", INT8OID};
constexpr RowSort::Column kOld = {"old_chunk", BYTEAOID};
constexpr RowSort::Column kNew = {"new_chunk", BYTEAOID};

}  // namespace

ReplacementSort::ReplacementSort(Order order, int memory)
    : order_(order),
      rows_(order == Order::kByGeneration ? RowSort({kRank, kOld, kNew}, {kRankColumn, kOldColumn}, memory)
                                          : RowSort({kRank, kOld, kNew}, {kOldColumn, kRankColumn}, memory)) {
}

int64 ReplacementSort::RankOf(int64 generation) const {
    return order_ == Order::kByGeneration ? generation : -generation;
}

void ReplacementSort::Add(const Replacement& replacement) {
    rows_.Add([&](Datum* values) {
        values[kRankColumn - 1] = Int64GetDatum(RankOf(replacement.generation));
        values[kOldColumn - 1] = HashDatum(replacement.old_chunk);
        values[kNewColumn - 1] = HashDatum(replacement.new_chunk);
    });
}

bool ReplacementSort::Next(Replacement* replacement) {
    if (!rows_.Next()) {
        return false;
    }
    replacement->generation = RankOf(rows_.Int8(kRankColumn));
    replacement->old_chunk = Hash::FromBytes(rows_.Bytes(kOldColumn));
    replacement->new_chunk = Hash::FromBytes(rows_.Bytes(kNewColumn));
    return true;
}

}  // namespace kvs::pg
