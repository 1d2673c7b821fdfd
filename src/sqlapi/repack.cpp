// How chunks are stored: repack, train_dictionaries.
#include "pg/upkeep/repack.h"

#include "pg/chunk/chunk_store.h"
#include "pg/table/access_guard.h"
#include "pg/table/locks.h"
#include "pg/upkeep/dictionary_training.h"
#include "pg/wall/arguments.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/entry_point.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kStorageMode = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

enum RepackColumn { kChunksRewritten, kBytesBefore, kBytesAfter, kRepackColumns };

Datum RepackAll(FunctionCallInfo fcinfo, int64 max_chunks) {
    Guarded([] {
        NoteWrite();
        // In the order of a collection, which locks builders out last.
        LockUpkeep();
        LockChunksForBuild();
    });
    GcReport report;
    const RepackResult result = Repack(RepackScope::kAll, max_chunks, &report);
    return Guarded([&] {
        Row<kRepackColumns> row;
        row.Set(kChunksRewritten, Int64GetDatum(result.chunks_rewritten));
        row.Set(kBytesBefore, Int64GetDatum(result.bytes_before));
        row.Set(kBytesAfter, Int64GetDatum(result.bytes_after));
        return row.Form(ResultRowType(fcinfo));
    });
}

enum TrainingColumn { kChunkClass, kSamples, kBytesWithout, kBytesWith, kDictionaryId, kTrainingColumns };

void TrainInto(const CollectedRows& rows) {
    Guarded([] { NoteWrite(); });
    for (const Training& training : TrainDictionaries()) {
        Guarded([&] {
            Row<kTrainingColumns> row;
            row.Set(kChunkClass, MakeVarlena(ChunkClassName(training.chunk_class)));
            row.Set(kSamples, Int64GetDatum(training.samples));
            row.Set(kBytesWithout, Int64GetDatum(training.bytes_without));
            row.Set(kBytesWith, Int64GetDatum(training.bytes_with));
            if (training.id) {
                row.Set(kDictionaryId, Int32GetDatum(static_cast<int32>(*training.id)));
            }
            AddRow(rows, row);
        });
    }
}

}  // namespace

// (max_chunks)
KVS_FUNCTION(kvs_repack)
{
    RequireWrite(kStorageMode, "kvs.repack()");
    return RepackAll(fcinfo, Limit(fcinfo, 0, "max_chunks").value_or(PG_INT64_MAX));
}

KVS_FUNCTION(kvs_train_dictionaries)
{
    RequireWrite(kStorageMode, "kvs.train_dictionaries()");
    TrainInto(CollectRows(fcinfo));
    PG_RETURN_NULL();
}

}  // namespace kvs::sqlapi
