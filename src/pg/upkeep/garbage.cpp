#include "pg/upkeep/garbage.h"

#include <algorithm>

#include "pg/chunk/pack_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

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
        chunks_ = tuplestore_begin_heap(false, spans_transactions_, maintenance_work_mem / 8);
        TupleDesc member_type = CreateTemplateTupleDesc(2);
        TupleDescInitEntry(member_type, 1, "pack", INT8OID, -1, 0);
        TupleDescInitEntry(member_type, 2, "member", INT8OID, -1, 0);
        member_slot_ = MakeSingleTupleTableSlot(member_type, &TTSOpsMinimalTuple);
        members_ = tuplestore_begin_heap(false, spans_transactions_, maintenance_work_mem / 8);
        MemoryContextSwitchTo(caller);
    });
}

uint64_t Garbage::BitOf(int64 prefix) const {
    return static_cast<uint64_t>(prefix) & bit_mask_;
}

void Garbage::NotePrefix(int64 prefix) {
    const uint64_t bit = BitOf(prefix);
    bits_[bit / 64] |= uint64_t{1} << (bit % 64);
}

void Garbage::AddMember(int64 pack, int64 member) {
    member_count_++;
    Guarded([&] {
        Datum values[] = {Int64GetDatum(pack), Int64GetDatum(member)};
        bool nulls[] = {false, false};
        tuplestore_putvalues(Store(members_), member_slot_->tts_tupleDescriptor, values, nulls);
    });
}

void Garbage::AddChunk(const Hash& chunk) {
    NotePrefix(PackPrefix(chunk));
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
        tuplestore_gettupleslot(Store(members_), true, false, member_slot_);
        ExecClearTuple(member_slot_);
        tuplestore_rescan(Store(members_));
    });
    has_member_ = NextMember();
}

bool Garbage::NextMember() {
    return Guarded([&] {
        MemoryContext caller = MemoryContextSwitchTo(context_);
        const bool found = tuplestore_gettupleslot(Store(members_), true, false, member_slot_);
        if (found) {
            bool is_null;
            next_pack_ = DatumGetInt64(slot_getattr(member_slot_, 1, &is_null));
            next_member_ = DatumGetInt64(slot_getattr(member_slot_, 2, &is_null));
            ExecClearTuple(member_slot_);
        }
        MemoryContextSwitchTo(caller);
        return found;
    });
}

bool Garbage::NextPack(int64* pack, std::vector<int64>* members) {
    members->clear();
    if (!has_member_) {
        return false;
    }
    *pack = next_pack_;
    while (has_member_ && next_pack_ == *pack) {
        members->push_back(next_member_);
        has_member_ = NextMember();
    }
    return true;
}

bool Garbage::MayHaveChunk(const Hash& chunk) const {
    const uint64_t bit = BitOf(PackPrefix(chunk));
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
        tuplestore_end(Store(members_));
        ExecDropSingleTupleTableSlot(member_slot_);
    });
    chunks_ = nullptr;
}

}  // namespace kvs::pg
