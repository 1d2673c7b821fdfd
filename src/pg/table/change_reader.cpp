#include "pg/table/change_reader.h"

#include <algorithm>

#include "kvs/codec/item.h"
#include "kvs/codec/varint.h"
#include "pg/table/change_columns.h"
#include "pg/wall/convert.h"

namespace kvs::pg {

namespace {

// A number that lies so close behind the one before begins a walk: a row read costs a tenth of a search.
constexpr int64 kNear = 16;

// How many numbers a walk is to go through. The server reads the entries of a leaf ahead, so the first one is
// short, for the case that there is nothing to come.
constexpr int64 kShortWalk = 16;
constexpr int64 kLongWalk = 256;

// The metadata item that a row tells of. What is malformed is handed on as it is, for the decoder to tell.
Datum MetadataOf(std::string_view logged, int64 version, const ChangeId& change) {
    auto* item = static_cast<struct varlena*>(palloc(VARHDRSZ + logged.size() + kMaxLeftOutOfLog));
    const char* end = WriteMetadataFromLog(logged, static_cast<uint64_t>(version), change, VARDATA(item));
    if (end == nullptr) {
        end = WriteBytes(VARDATA(item), logged);
    }
    SET_VARSIZE(item, end - reinterpret_cast<char*>(item));
    return PointerGetDatum(item);
}

}  // namespace

bool ChangeReader::Read(int64 seq, ChangeRow* row) {
    if (!members_) {
        members_ = ReadChangeMembers(snapshot_);
    }
    // First the members from that which was current when the number was drawn to the oldest one, then the
    // newer ones: some numbers wait before they are used, and some writers do not hear of a new member at
    // once. Then those that wait: this transaction may write to one that became current after its snapshot.
    enum Turn { kOlder, kNewer, kWaiting, kNever };
    Turn turns[kChangeMembers];
    for (int i = 0; i < kChangeMembers; i++) {
        const ChangeMember& member = members_->members[i];
        turns[i] = member.condemned          ? kNever
                   : !member.in_use          ? kWaiting
                   : member.first_seq <= seq ? kOlder
                                             : kNewer;
    }
    for (;;) {
        int next = -1;
        for (int i = 0; i < kChangeMembers; i++) {
            if (turns[i] != kNever && (next < 0 || turns[i] < turns[next] ||
                                       (turns[i] == turns[next] && members_->members[i].first_seq >
                                                                       members_->members[next].first_seq))) {
                next = i;
            }
        }
        if (next < 0) {
            return false;
        }
        turns[next] = kNever;
        if (Find(next, seq)) {
            Copy(places_[next].table, seq, row);
            return true;
        }
    }
}

// Leaves the row in the member's slot; false if it is not there.
bool ChangeReader::Find(int member, int64 seq) {
    Place& place = places_[member];
    if (!place.is_open) {
        MemoryContext caller = MemoryContextSwitchTo(CurTransactionContext);
        place = {};
        place.table = OpenChangeMember(member);
        place.is_open = true;
        MemoryContextSwitchTo(caller);
    }
    const bool is_near = place.last > 0 && seq > place.last && seq - place.last <= kNear;
    place.last = seq;
    if (is_near) {
        return Walk(&place, seq);
    }
    ScanKeyData key;
    KeyInt8(&key, kSeqColumn, seq);
    place.walk_end = 0;
    place.walk_length = kShortWalk;
    return Lookup(&place.table, snapshot_, &key, 1);
}

bool ChangeReader::Walk(Place* place, int64 seq) {
    MemoryContext caller = MemoryContextSwitchTo(place->table.slot->tts_mcxt);
    if (seq > place->walk_end) {
        place->walk_end = seq + place->walk_length - 1;
        place->walk_length = std::min(2 * place->walk_length, kLongWalk);
        place->stands = 0;
        ScanKeyData keys[2];
        KeyInt8(&keys[0], kSeqColumn, seq, BTGreaterEqualStrategyNumber);
        KeyInt8(&keys[1], kSeqColumn, place->walk_end, BTLessEqualStrategyNumber);
        if (place->walk == nullptr) {
            place->walk = BeginScan(&place->table, snapshot_, keys, 2);
        } else {
            index_rescan(place->walk, keys, 2, nullptr, 0);
        }
    }
    while (place->stands < seq) {
        CHECK_FOR_INTERRUPTS();
        place->stands = index_getnext_slot(place->walk, ForwardScanDirection, place->table.slot)
                            ? DatumGetInt64(place->table.Get(kSeqColumn))
                            : place->walk_end + 1;
    }
    MemoryContextSwitchTo(caller);
    return place->stands == seq;
}

void ChangeReader::Copy(const Table& member, int64 seq, ChangeRow* row) {
    row->seq = seq;
    row->xid = U64FromFullTransactionId(DatumGetFullTransactionId(member.Get(kXidColumn)));
    row->prev_seq = DatumGetInt64(member.Get(kPrevSeqColumn));
    row->version = DatumGetInt64(member.Get(kVersionColumn));
    row->branch_id = DatumGetInt32(member.Get(kBranchColumn));
    row->operation = static_cast<Operation>(DatumGetInt16(member.Get(kOpColumn)));
    bool is_null;
    Datum datum = member.Get(kKeyColumn, &is_null);
    row->key = is_null ? 0 : PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
    datum = member.Get(kMetaColumn, &is_null);
    if (!epoch_.Has(seq)) {
        epoch_ = EpochOf(seq, snapshot_);
    }
    row->meta = 0;
    row->trace.reset();
    if (!is_null) {
        const std::string_view logged = DatumContents(datum);
        row->meta = MetadataOf(logged, row->version, {epoch_.log_id, static_cast<uint64_t>(seq)});
        row->trace = TraceOfLogged(logged);
    }
    datum = member.Get(kItemColumn, &is_null);
    if (row->IsRange()) {
        const std::optional<RangeRoots> roots = is_null ? std::nullopt : ReadRangeRoots(DatumContents(datum));
        if (!roots) {
            ereport(ERROR, errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("change %lld does not name four roots", static_cast<long long>(seq)));
        }
        row->item = 0;
        row->from = roots->from;
        row->to = roots->to;
    } else {
        row->item = is_null ? 0 : PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
    }
}

void ChangeReader::Close() {
    for (Place& place : places_) {
        if (place.is_open) {
            if (place.walk != nullptr) {
                index_endscan(place.walk);
            }
            pg::Close(&place.table);
            place = {};
        }
    }
}

void ChangeReader::set_snapshot(Snapshot snapshot) {
    if (snapshot != snapshot_) {
        members_.reset();
    }
    snapshot_ = snapshot;
}

}  // namespace kvs::pg
