#include "pg/upkeep/dictionary_training.h"

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <utility>

#include "kvs/codec/frame.h"
#include "pg/chunk/chunk_store.h"
#include "pg/chunk/dictionary_cache.h"
#include "pg/table/locks.h"
#include "pg/table/owner_query.h"
#include "pg/wall/child_process.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

constexpr size_t kTrainingSamples = 1000;  // of a class
constexpr size_t kTestSamples = 200;
constexpr size_t kMinSamples = 60;  // of both together
constexpr size_t kMaxSampleSize = size_t{16} << 10;
// A larger dictionary knows more, and says it in longer offsets: the one that does best is taken.
constexpr size_t kCapacities[] = {size_t{8} << 10, size_t{16} << 10, size_t{32} << 10, size_t{64} << 10};
constexpr int64 kMinSavingPercent = 10;

// Some 4,096 pages of the table. What is packed resembles what is there.
constexpr const char* kSampleQuery =
    "SELECT c.body FROM _kvs.chunk AS c TABLESAMPLE system "
    "((SELECT least(100, 100 * 4096 / greatest(1, pg_relation_size('_kvs.chunk'::regclass) / "
    "8192.0))::real)) "
    "REPEATABLE (0)";

// A fair choice from the chunks of a class, of which nobody knows how many there will be.
class Reservoir {
  public:
    void Add(std::string raw) {
        met_++;
        if (chunks_.size() < kTrainingSamples + kTestSamples) {
            chunks_.push_back(std::move(raw));
            return;
        }
        const uint64_t place = random_() % met_;
        if (place < chunks_.size()) {
            chunks_[place] = std::move(raw);
        }
    }

    // Splits it into what to train on and what to measure with.
    void Take(std::vector<std::string>* training, std::vector<std::string>* test) {
        std::shuffle(chunks_.begin(), chunks_.end(), random_);
        const size_t tested = chunks_.size() * kTestSamples / (kTrainingSamples + kTestSamples);
        test->assign(std::make_move_iterator(chunks_.begin()),
                     std::make_move_iterator(chunks_.begin() + tested));
        training->assign(std::make_move_iterator(chunks_.begin() + tested),
                         std::make_move_iterator(chunks_.end()));
        chunks_.clear();
    }

    size_t size() const { return chunks_.size(); }

  private:
    std::vector<std::string> chunks_;
    uint64_t met_ = 0;
    std::mt19937_64 random_;
};

std::array<Reservoir, kChunkClasses> Sample() {
    std::array<Reservoir, kChunkClasses> reservoirs;
    FrameCodec codec;
    MemoryContext scratch = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs training", ALLOCSET_DEFAULT_SIZES); });
    OwnerQuery row(kSampleQuery);
    while (row.Next()) {
        Guarded([&] { MemoryContextReset(scratch); });
        const MemoryScope scope(scratch);
        Result<std::string> raw = codec.Decode(row.Bytes(1), &DictionaryCache::Get());
        if (!raw.ok() || raw.value().size() > kMaxSampleSize) {
            continue;  // damage is for kvs.check to tell
        }
        if (const std::optional<ChunkClass> chunk_class = ClassOfChunk(raw.value())) {
            reservoirs[static_cast<size_t>(*chunk_class)].Add(std::move(raw).value());
        }
    }
    row.Finish();
    Guarded([&] { MemoryContextDelete(scratch); });
    return reservoirs;
}

int64 EncodedSize(const std::vector<std::string>& chunks, const Dictionary* dictionary) {
    FrameCodec codec;
    int64 size = 0;
    for (const std::string& raw : chunks) {
        size +=
            static_cast<int64>(codec.Encode(raw, std::max(settings.compression_level, 1), dictionary).size());
    }
    return size;
}

// Empty: no dictionary comes of it. The trainer of zstd 1.5.4 crashes when memory ends, as it makes the
// compressor's form of what it tries; nor can it be interrupted.
std::string TrainApart(const std::vector<std::string>& samples, size_t capacity) {
    return InChildProcess([&] { return TrainDictionary(samples, capacity).value_or(""); });
}

Training Train(ChunkClass chunk_class, Reservoir* reservoir, const std::optional<uint32_t>& in_use) {
    std::vector<std::string> training;
    std::vector<std::string> test;
    reservoir->Take(&training, &test);
    Training result;
    result.chunk_class = chunk_class;
    result.samples = static_cast<int64>(training.size());
    result.bytes_without =
        EncodedSize(test, in_use ? DictionaryCache::Get().FindDictionary(*in_use) : nullptr);
    result.bytes_with = result.bytes_without;
    std::string best;
    for (const size_t capacity : kCapacities) {
        std::string bytes = TrainApart(training, capacity);
        if (bytes.empty()) {
            continue;
        }
        const Dictionary dictionary(0, bytes);
        const int64 size = EncodedSize(test, &dictionary);
        if (best.empty() || size < result.bytes_with) {
            result.bytes_with = size;
            best = std::move(bytes);
        }
    }
    if (best.empty()) {
        return result;
    }
    if (result.bytes_with * 100 <= result.bytes_without * (100 - kMinSavingPercent)) {
        const double saving =
            1 - static_cast<double>(result.bytes_with) / static_cast<double>(result.bytes_without);
        result.id = StoreDictionary({chunk_class, best, result.samples, saving});
    }
    return result;
}

void NoteTraining(const std::vector<Training>& trainings) {
    const auto kept =
        std::count_if(trainings.begin(), trainings.end(), [](const Training& t) { return t.id.has_value(); });
    ExecuteAsOwner(
        "INSERT INTO _kvs.training (at, chunks, kept)"
        " SELECT clock_timestamp(), greatest(pg_stat_get_tuples_inserted(c.oid), c.reltuples::bigint), $1"
        " FROM pg_class AS c WHERE c.oid = '_kvs.chunk'::regclass",
        {Parameter::Int4(static_cast<int32>(kept))});
}

}  // namespace

std::vector<Training> TrainDictionaries() {
    LockUpkeep();
    ActiveSnapshot active(RegisterOperationSnapshot());
    std::array<Reservoir, kChunkClasses> reservoirs = Sample();
    const NewestDictionaries in_use = ReadNewestDictionaries();
    std::vector<Training> trainings;
    for (size_t i = 0; i < reservoirs.size(); i++) {
        if (reservoirs[i].size() >= kMinSamples) {
            trainings.push_back(Train(static_cast<ChunkClass>(i), &reservoirs[i], in_use[i]));
        }
    }
    NoteTraining(trainings);
    active.Release();
    return trainings;
}

}  // namespace kvs::pg
