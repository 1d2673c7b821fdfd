#include "pg/subscription/member_table.h"

#include <utility>

#include "pg/table/locks.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

// So many writes of a row share an entry of the index.
constexpr int64 kRevisionsOfRound = 64;

enum MemberColumn {
    kSubscriptionColumn = 1,
    kMemberColumn,
    kRoundColumn,
    kRevisionColumn,
    kGenerationColumn,
    kFloorColumn,
    kSeenAtColumn,
    kStateColumn,
    kMemberColumns = kStateColumn
};

// A version of a row as a scan has met it.
struct Version {
    std::string name;
    int64 round = 0;
    bool is_settled = false;
    bool is_leaving = false;  // a running transaction puts another in its place
    MemberRow row;
};

// Scans of versions that are not known to be dead. They must not go on where only dead ones can come, because
// an old snapshot may keep very many of these: so each is bounded to one round, or ends with its first row.
class MemberScan {
  public:
    explicit MemberScan(int32 subscription) {
        Guarded([&] {
            table_ = OpenForRead(Object::kSubscriptionMember, Object::kSubscriptionMemberPkey);
            KeyInt4(&keys_[0], kSubscriptionColumn, subscription);
            InitDirtySnapshot(dirty_);
        });
    }

    // Reads the last member of all (no bound), of those before `bound`, or just that one; false: none.
    bool Read(const std::string* bound, StrategyNumber strategy, Member* member);

    void Close() {
        Guarded([&] { pg::Close(&table_); });
    }

  private:
    void KeyMember(const std::string& name, StrategyNumber strategy) {
        Guarded([&] { KeyText(&keys_[1], kMemberColumn, MakeVarlena(name), strategy); });
    }
    void KeyRound(int64 round, StrategyNumber strategy) {
        Guarded([&] { KeyInt8(&keys_[2], kRoundColumn, round, strategy); });
    }
    void Begin(int key_count) {
        Guarded([&] { scan_ = BeginScan(&table_, &dirty_, keys_, key_count); });
    }
    void End() {
        Guarded([&] { index_endscan(scan_); });
    }
    bool Next(Version* version);
    bool FindLast(int key_count, Version* version);

    Table table_;
    ScanKeyData keys_[3];
    IndexScanDesc scan_ = nullptr;
    SnapshotData dirty_ = {};
};

bool MemberScan::Next(Version* version) {
    std::string_view name;
    std::string_view state;
    const bool found = Guarded([&] {
        if (!index_getnext_slot(scan_, BackwardScanDirection, table_.slot)) {
            return false;
        }
        name = DatumContents(table_.Get(kMemberColumn));
        version->round = DatumGetInt64(table_.Get(kRoundColumn));
        version->is_settled = !TransactionIdIsValid(dirty_.xmin);
        version->is_leaving = TransactionIdIsValid(dirty_.xmax);
        version->row.revision = DatumGetInt64(table_.Get(kRevisionColumn));
        version->row.generation = DatumGetInt32(table_.Get(kGenerationColumn));
        version->row.floor = DatumGetInt64(table_.Get(kFloorColumn));
        version->row.seen_at = DatumGetTimestampTz(table_.Get(kSeenAtColumn));
        version->row.tid = table_.slot->tts_tid;
        state = DatumContents(table_.Get(kStateColumn));
        return true;
    });
    if (found) {
        version->name = name;
        version->row.state = state;
    }
    return found;
}

bool MemberScan::FindLast(int key_count, Version* version) {
    Begin(key_count);
    const bool found = Next(version);
    End();
    return found;
}

// From the newest round on, up to the one that has a settled version. A transaction that ends while they are
// read may show two settled ones: the later one counts.
bool MemberScan::Read(const std::string* bound, StrategyNumber strategy, Member* member) {
    *member = {};
    if (bound != nullptr) {
        KeyMember(*bound, strategy);
    }
    Version version;
    bool found = FindLast(bound != nullptr ? 2 : 1, &version);
    if (!found) {
        return false;
    }
    member->name = version.name;
    if (version.is_settled && !version.is_leaving) {
        member->settled = std::move(version.row);
        return true;
    }
    KeyMember(member->name, BTEqualStrategyNumber);
    member->is_busy = true;
    while (found && member->settled.revision < 0) {
        const int64 round = version.round;
        KeyRound(round, BTEqualStrategyNumber);
        Begin(3);
        while (Next(&version)) {
            if (!version.is_settled) {
                member->unsettled.push_back(version.row);
            } else if (version.row.revision > member->settled.revision) {
                member->settled = version.row;
            }
        }
        End();
        KeyRound(round, BTLessStrategyNumber);
        found = member->settled.revision < 0 && FindLast(3, &version);
    }
    return true;
}

}  // namespace

std::vector<Member> ReadMembers(int32 subscription) {
    std::vector<Member> members;
    MemberScan scan(subscription);
    Member member;
    bool found = scan.Read(nullptr, BTLessStrategyNumber, &member);
    while (found) {
        members.push_back(std::move(member));
        found = scan.Read(&members.back().name, BTLessStrategyNumber, &member);
    }
    scan.Close();
    return members;
}

MemberRow ReadMember(int32 subscription, std::string_view name) {
    MemberScan scan(subscription);
    Member member;
    const std::string bound(name);
    scan.Read(&bound, BTEqualStrategyNumber, &member);
    scan.Close();
    return std::move(member.settled);
}

void WriteMember(int32 subscription, std::string_view name, const MemberRow& row) {
    const bool is_written = Guarded([&] {
        const Object index = Object::kSubscriptionMemberPkey;
        Table table = OpenForWrite(Object::kSubscriptionMember, &index, 1);
        const int64 revision = row.revision + 1;
        Datum values[kMemberColumns] = {Int32GetDatum(subscription),
                                        MakeVarlena(name),
                                        Int64GetDatum(revision / kRevisionsOfRound),
                                        Int64GetDatum(revision),
                                        Int32GetDatum(row.generation),
                                        Int64GetDatum(row.floor),
                                        TimestampTzGetDatum(GetCurrentTimestamp()),
                                        MakeVarlena(row.state)};
        bool nulls[kMemberColumns] = {};
        TM_Result result = TM_Ok;
        if (row.revision < 0) {
            Insert(&table, values, nulls);
        } else {
            ItemPointerData tid = row.tid;
            Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
            result = Update(&table, &tid, values, nulls, snapshot);
            UnregisterSnapshot(snapshot);
        }
        Close(&table);
        CommandCounterIncrement();
        return result == TM_Ok;
    });
    if (!is_written) {
        throw CouldNotSerialize("concurrent change of a subscription's member");
    }
}

void ForgetMember(int32 subscription, const Member& member) {
    if (!TryLockMember(subscription, member.name)) {
        return;
    }
    Guarded([&] {
        const Object index = Object::kSubscriptionMemberPkey;
        Table table = OpenForWrite(Object::kSubscriptionMember, &index, 1);
        Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
        ItemPointerData tid = member.settled.tid;
        Delete(&table, &tid, snapshot, false);
        UnregisterSnapshot(snapshot);
        Close(&table);
        CommandCounterIncrement();
    });
}

}  // namespace kvs::pg
