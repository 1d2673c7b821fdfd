#include "pg/table/change_members.h"
#include "pg/wall/snapshot.h"

#include <algorithm>

namespace kvs::pg {

namespace {

enum MemberColumn {
    kMemberColumn = 1,
    kFirstSeqColumn,
    kStartedAtColumn,
    kClosedAtColumn,
    kCondemnedAtColumn,
    kLowSeqColumn,
};

// Each member's indexes have the shape of the first one's.
enum MemberIndex { kPkey, kRange, kMemberIndexes };
constexpr Object kShapes[kMemberIndexes] = {Object::kChangePkey, Object::kChangeRange};
constexpr const char* kIndexSuffixes[kMemberIndexes] = {"_pkey", "_range"};

struct MemberOids {
    Oid heap;
    Oid indexes[kMemberIndexes];
};

// What this backend knows. Which member is current holds until an invalidation comes, also one that comes
// while it is looked up.
struct {
    bool registered;
    bool known;
    bool disturbed;  // an invalidation came since it was set to false
    int current;
    Oid table;  // _kvs.change_member
    MemberOids members[kChangeMembers];
} cache;

void ForgetOnChange(Datum, Oid relation) {
    bool concerns = relation == InvalidOid || relation == cache.table;
    for (const MemberOids& member : cache.members) {
        concerns = concerns || relation == member.heap;
    }
    if (concerns) {
        cache.known = false;
        cache.disturbed = true;
        memset(cache.members, 0, sizeof(cache.members));
    }
}

Oid FindRelation(const char* name, Oid space) {
    const Oid oid = get_relname_relid(name, space);
    if (!OidIsValid(oid)) {
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
                errmsg("relation \"%s\" of extension kvs does not exist in this database", name),
                errhint("Install it with CREATE EXTENSION kvs."));
    }
    return oid;
}

void RegisterOnce() {
    if (!cache.registered) {
        CacheRegisterRelcacheCallback(ForgetOnChange, static_cast<Datum>(0));
        cache.registered = true;
    }
}

MemberOids OidsOf(int member) {
    RegisterOnce();
    MemberOids& known = cache.members[member];
    if (OidIsValid(known.heap)) {
        return known;
    }
    cache.disturbed = false;
    const Oid space = get_namespace_oid("_kvs", false);
    char name[NAMEDATALEN];
    char index[NAMEDATALEN + 8];
    if (member == 0) {
        strlcpy(name, "change", sizeof(name));
    } else {
        snprintf(name, sizeof(name), "change_%d", member);
    }
    MemberOids found;
    found.heap = FindRelation(name, space);
    for (int i = 0; i < kMemberIndexes; i++) {
        snprintf(index, sizeof(index), "%s%s", name, kIndexSuffixes[i]);
        found.indexes[i] = FindRelation(index, space);
    }
    if (!cache.disturbed) {
        known = found;
    }
    return found;
}

// As it is committed now, which this session from then on knows.
int ReadCurrentMember() {
    cache.disturbed = false;
    cache.table = ObjectOid(Object::kChangeMember);
    Snapshot snapshot = RegisterLatestSnapshot();
    cache.current = ReadChangeMembers(snapshot).current;
    ReleaseSnapshot(snapshot);
    cache.known = !cache.disturbed;
    return cache.current;
}

Table OpenMember(int member, LOCKMODE mode, int index_count) {
    const MemberOids oids = OidsOf(member);
    return OpenTable(oids.heap, oids.indexes, kShapes, index_count, mode);
}

int64 Int8OrZero(const Table& table, int column) {
    bool is_null;
    const Datum datum = table.Get(column, &is_null);
    return is_null ? 0 : DatumGetInt64(datum);
}

TimestampTz MomentOr(const Table& table, int column, TimestampTz otherwise) {
    bool is_null;
    const Datum datum = table.Get(column, &is_null);
    return is_null ? otherwise : DatumGetTimestampTz(datum);
}

void CopyRow(const Table& table, ChangeMember* member) {
    bool is_null;
    table.Get(kFirstSeqColumn, &is_null);
    member->in_use = !is_null;
    member->first_seq = Int8OrZero(table, kFirstSeqColumn);
    member->started_at = MomentOr(table, kStartedAtColumn, DT_NOBEGIN);
    member->closed_at = MomentOr(table, kClosedAtColumn, DT_NOEND);
    table.Get(kCondemnedAtColumn, &is_null);
    member->condemned = !is_null;
    member->low_seq = DatumGetInt64(table.Get(kLowSeqColumn));
    member->stored = true;
    member->tid = table.slot->tts_tid;
    bool is_copy;
    member->writer = HeapTupleHeaderGetXmin(ExecFetchSlotHeapTuple(table.slot, false, &is_copy)->t_data);
}

}  // namespace

ChangeMembers ReadChangeMembers(Snapshot snapshot) {
    ChangeMembers read = {};
    for (ChangeMember& member : read.members) {
        member.started_at = DT_NOBEGIN;
        member.closed_at = DT_NOEND;
    }
    bool any = false;
    Table table = OpenForRead(Object::kChangeMember, Object::kChangeMemberPkey);
    IndexScanDesc scan = BeginScan(&table, snapshot, nullptr, 0);
    while (index_getnext_slot(scan, ForwardScanDirection, table.slot)) {
        const int number = DatumGetInt16(table.Get(kMemberColumn));
        if (number < 0 || number >= kChangeMembers) {
            continue;  // a constraint of the table forbids it
        }
        ChangeMember& member = read.members[number];
        CopyRow(table, &member);
        read.low_seq = std::max(read.low_seq, member.low_seq);
        if (member.in_use && (!any || member.first_seq > read.members[read.current].first_seq)) {
            read.current = number;
            any = true;
        }
    }
    index_endscan(scan);
    Close(&table);
    if (!any) {
        read.members[0].in_use = true;
    }
    return read;
}

int64 LowestKeptChange() {
    if (IsInParallelMode()) {
        return ReadChangeMembers(GetActiveSnapshot()).low_seq;
    }
    Snapshot snapshot = RegisterLatestSnapshot();
    const int64 low_seq = ReadChangeMembers(snapshot).low_seq;
    ReleaseSnapshot(snapshot);
    return low_seq;
}

Oid ChangeMemberOid(int member) {
    return OidsOf(member).heap;
}

Table OpenChangeMember(int member) {
    return OpenMember(member, AccessShareLock, 1);
}

Table OpenCurrentChangeMember() {
    RegisterOnce();
    for (;;) {
        const int member = cache.known ? cache.current : ReadCurrentMember();
        Table table = OpenMember(member, RowExclusiveLock, kRange);
        // What was announced before the lock was taken has been heard by now.
        if ((cache.known && cache.current == member) || ReadCurrentMember() == member) {
            return table;
        }
        Close(&table);
    }
}

Relation OpenRangeIndex(const Table& member) {
    for (int i = 0; i < kChangeMembers; i++) {
        const MemberOids oids = OidsOf(i);
        if (oids.heap == RelationGetRelid(member.heap)) {
            return index_open(oids.indexes[kRange], RowExclusiveLock);
        }
    }
    elog(ERROR, "relation \"%s\" is no member of the change log", RelationGetRelationName(member.heap));
}

void AnnounceChangeMembers() {
    CacheInvalidateRelcacheByRelid(ObjectOid(Object::kChangeMember));
}

}  // namespace kvs::pg
