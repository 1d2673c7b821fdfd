// How chunks are stored: repack, train_dictionaries.
#include "pg/upkeep/repack.h"

#include <vector>

#include "kvs/error.h"
#include "pg/chunk/chunk_store.h"
#include "pg/table/access_guard.h"
#include "pg/upkeep/dictionary_training.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kStorageMode = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// (max_chunks)
class RepackRow {
  public:
    explicit RepackRow(FunctionCallInfo fcinfo) {
        Guarded([&] {
            RequireWrite(kStorageMode, "kvs.repack()");
            row_type_ = ResultRowType(fcinfo);
        });
        max_chunks_ = PG_ARGISNULL(0) ? PG_INT64_MAX : PG_GETARG_INT64(0);
        if (max_chunks_ < 0) {
            throw Error(ErrorCode::kInvalidArgument, "max_chunks must not be negative");
        }
    }

    bool Next(FunctionCallInfo, Datum* row, bool*) {
        if (done_) {
            return false;
        }
        done_ = true;
        Guarded([] {
            NoteWrite();
            // In the order of a collection, which locks builders out last.
            LockChunkMaintenance();
            LockChunksForBuild();
        });
        GcReport report;
        const RepackResult result = Repack(RepackScope::kAll, max_chunks_, &report);
        *row = Guarded([&] {
            Datum values[] = {Int64GetDatum(result.chunks_rewritten), Int64GetDatum(result.bytes_before),
                              Int64GetDatum(result.bytes_after)};
            bool nulls[] = {false, false, false};
            return FormRow(row_type_, values, nulls);
        });
        return true;
    }

  private:
    TupleDesc row_type_;
    int64 max_chunks_;
    bool done_ = false;
};

class TrainingRows {
  public:
    explicit TrainingRows(FunctionCallInfo fcinfo) {
        Guarded([&] {
            RequireWrite(kStorageMode, "kvs.train_dictionaries()");
            row_type_ = ResultRowType(fcinfo);
            NoteWrite();
        });
        trainings_ = TrainDictionaries();
    }

    bool Next(FunctionCallInfo, Datum* row, bool*) {
        if (next_ == trainings_.size()) {
            return false;
        }
        const Training& training = trainings_[next_++];
        *row = Guarded([&] {
            Datum values[] = {MakeVarlena(ChunkClassName(training.chunk_class)),
                              Int64GetDatum(training.samples), Int64GetDatum(training.bytes_without),
                              Int64GetDatum(training.bytes_with),
                              Int32GetDatum(static_cast<int32>(training.id.value_or(0)))};
            bool nulls[] = {false, false, false, false, !training.id};
            return FormRow(row_type_, values, nulls);
        });
        return true;
    }

  private:
    TupleDesc row_type_;
    std::vector<Training> trainings_;
    size_t next_ = 0;
};

}  // namespace

KVS_FUNCTION(kvs_repack)
{ return StreamRows<RepackRow>(fcinfo); }

KVS_FUNCTION(kvs_train_dictionaries)
{ return StreamRows<TrainingRows>(fcinfo); }

}  // namespace kvs::sqlapi
