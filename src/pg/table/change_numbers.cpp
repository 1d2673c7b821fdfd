#include "pg/table/change_numbers.h"

#include "pg/wall/guard.h"

namespace kvs::pg {

ChangeNumbers::ChangeNumbers(bool one_for_all) : is_range_(one_for_all) {
    Guarded([&] {
        log_ = CurrentLog();
        if (is_range_) {
            range_seq_ = NextChangeSeq();
        }
    });
}

ChangeNumbers ChangeNumbers::Unlogged() {
    ChangeNumbers numbers;
    numbers.unlogged_seq_ = 0;
    Guarded([&] {
        if (!pg_strong_random(numbers.log_.data(), numbers.log_.size())) {
            ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values"));
        }
    });
    return numbers;
}

ChangeId ChangeNumbers::Next() {
    if (unlogged_seq_ >= 0) {
        return {log_, static_cast<uint64_t>(++unlogged_seq_)};
    }
    const int64 seq = is_range_ ? range_seq_ : Guarded([] { return NextChangeSeq(); });
    return {log_, static_cast<uint64_t>(seq)};
}

}  // namespace kvs::pg
