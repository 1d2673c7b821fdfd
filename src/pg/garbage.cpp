#include "pg/garbage.h"

#include <algorithm>
#include <cstring>

#include "pg/convert.h"
#include "pg/guard.h"

extern "C" {
#include "utils/tuplestore.h"
}

namespace kvs::pg {

namespace {

constexpr size_t kBytesPerCommit = 128;  // in the vector and the set
constexpr int64 kBitsPerChunk = 8;

size_t MemoryShare() {
    return static_cast<size_t>(maintenance_work_mem) * 1024 / 4;
}

Tuplestorestate* Store(void* chunks) {
    return static_cast<Tuplestorestate*>(chunks);
}

}  // namespace

Garbage::Garbage(MemoryContext context, bool spans_transactions)
    : context_(context), spans_transactions_(spans_transactions) {}

void Garbage::AddCommit(const Hash& commit) {
    commits_.push_back(commit);
    commit_set_.insert(commit);
}

bool Garbage::HasRoomForCommits() const {
    return commits_.size() * kBytesPerCommit < MemoryShare();
}

void Garbage::BeginChunks(int64 stored) {
    const auto most_bits = static_cast<int64>(MemoryShare() * 8);
    int64 bits = 64;
    while (bits < stored * kBitsPerChunk && bits * 2 <= most_bits) {
        bits *= 2;
    }
    bits_.assign(static_cast<size_t>(bits / 64), 0);
    bit_mask_ = static_cast<uint64_t>(bits - 1);
    Guarded([&] {
        MemoryContext caller = MemoryContextSwitchTo(context_);
        TupleDesc row_type = CreateTemplateTupleDesc(1);
        TupleDescInitEntry(row_type, 1, "address", BYTEAOID, -1, 0);
        slot_ = MakeSingleTupleTableSlot(row_type, &TTSOpsMinimalTuple);
        chunks_ = tuplestore_begin_heap(false, spans_transactions_, maintenance_work_mem / 4);
        MemoryContextSwitchTo(caller);
    });
}

uint64_t Garbage::BitOf(const Hash& chunk) const {
    uint64_t word;
    std::memcpy(&word, chunk.bytes.data(), sizeof(word));
    return word & bit_mask_;
}

void Garbage::AddChunk(const Hash& chunk) {
    const uint64_t bit = BitOf(chunk);
    bits_[bit / 64] |= uint64_t{1} << (bit % 64);
    chunk_count_++;
    Guarded([&] {
        Datum value = HashDatum(chunk);
        bool is_null = false;
        tuplestore_putvalues(Store(chunks_), slot_->tts_tupleDescriptor, &value, &is_null);
        pfree(DatumGetPointer(value));
    });
}

void Garbage::EndChunks() {
    Guarded([&] {
        // Reading writes out what is still in a buffer, which must happen in the transaction that filled it.
        tuplestore_gettupleslot(Store(chunks_), true, false, slot_);
        ExecClearTuple(slot_);
        tuplestore_rescan(Store(chunks_));
    });
}

bool Garbage::MayHaveChunk(const Hash& chunk) const {
    const uint64_t bit = BitOf(chunk);
    return (bits_[bit / 64] & (uint64_t{1} << (bit % 64))) != 0;
}

bool Garbage::NextChunk(Hash* chunk) {
    return Guarded([&] {
        MemoryContext caller = MemoryContextSwitchTo(context_);
        const bool found = tuplestore_gettupleslot(Store(chunks_), true, false, slot_);
        if (found) {
            bool is_null;
            *chunk = DatumHash(slot_getattr(slot_, 1, &is_null));
            ExecClearTuple(slot_);
        }
        MemoryContextSwitchTo(caller);
        return found;
    });
}

void Garbage::Finish() {
    if (chunks_ == nullptr) {
        return;
    }
    Guarded([&] {
        tuplestore_end(Store(chunks_));
        ExecDropSingleTupleTableSlot(slot_);
    });
    chunks_ = nullptr;
}

}  // namespace kvs::pg
