#include "pg/check/check_history.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>

#include "kvs/codec/item.h"
#include "kvs/util/quote.h"
#include "pg/table/change_members.h"
#include "pg/table/owner_query.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

// A key as text, quoted and escaped if it is none.
std::string KeyText(std::string_view key) {
    const bool is_text =
        Guarded([&] { return pg_verifymbstr(key.data(), static_cast<int>(key.size()), true); });
    return is_text ? std::string(key) : Quoted(key);
}

// What is wrong with the encoded form of a state, empty if nothing is. `item` absent: a deletion.
std::string StateProblem(std::string_view meta, std::optional<std::string_view> item, int64 version,
                         int64 seq) {
    const Result<Metadata> metadata = DecodeMetadata(meta);
    if (!metadata.ok()) {
        return metadata.error().what();
    }
    if (item) {
        const Result<DataItem> decoded = DecodeDataItem(*item);
        if (!decoded.ok()) {
            return decoded.error().what();
        }
        if (decoded.value().blob) {
            return "it refers to a blob, where only a tree may";
        }
    }
    if (metadata.value().deleted == item.has_value()) {
        return item ? "it has a value but its metadata says that it was deleted"
                    : "it has no value but its metadata says that it lives";
    }
    if (metadata.value().version != static_cast<uint64_t>(version)) {
        return "its metadata says version " + std::to_string(metadata.value().version);
    }
    if (metadata.value().change.seq != static_cast<uint64_t>(seq)) {
        return "its metadata says change " + std::to_string(metadata.value().change.seq);
    }
    return {};
}

// These take over what the key is elsewhere, and may skip versions.
bool MaySkipVersions(Operation operation) {
    return operation == Operation::kMerge || operation == Operation::kRevert ||
           operation == Operation::kReset;
}

enum ChangeQueryColumn {
    kSeq = 1,
    kPrevSeq,
    kVersion,
    kBranchId,
    kOp,
    kKey,
    kMeta,
    kItem,
    kFromData,
    kFromMeta,
    kToData,
    kToMeta,
    kPrevFound,
    kPrevKey,
    kPrevVersion,
    kPrevToMeta,
    kTable,
};

constexpr const char* kChangeQuery =
    "SELECT c.seq, c.prev_seq, c.version, c.branch_id, c.op::int4, c.key, c.meta, c.item, c.from_data_root,"
    " c.from_meta_root, c.to_data_root, c.to_meta_root, p.seq IS NOT NULL, p.key, p.version, p.to_meta_root,"
    " c.tableoid::int8 "
    "FROM _kvs.change AS c LEFT JOIN _kvs.change AS p ON p.seq = c.prev_seq "
    "ORDER BY c.seq";

class ChangeLogCheck {
  public:
    ChangeLogCheck(ObjectCheck* objects, MemoryContext scratch, const FindingSink& sink)
        : objects_(objects), scratch_(scratch), sink_(sink), change_(kChangeQuery) {
        Guarded([&] {
            // The query has locked the log: what is removed from it now was so before.
            low_seq_ = LowestKeptChange();
            Snapshot latest = RegisterLatestSnapshot();
            const ChangeMembers now = ReadChangeMembers(latest);
            ReleaseSnapshot(latest);
            const ChangeMembers then = ReadChangeMembers(GetActiveSnapshot());
            for (int i = 0; i < kChangeMembers; i++) {
                // What this transaction wrote may be where its snapshot shows nothing yet.
                const bool is_in_use = then.members[i].in_use || now.members[i].in_use;
                tables_in_use_[i] = is_in_use ? ChangeMemberOid(i) : InvalidOid;
            }
        });
    }

    void Run() {
        while (change_.Next()) {
            Guarded([&] { MemoryContextReset(scratch_); });
            const MemoryScope scope(scratch_);
            if (change_.IsNull(kKey)) {
                CheckRange();
            } else {
                CheckChange();
            }
        }
        change_.Finish();
    }

  private:
    std::string Name() { return "change " + std::to_string(change_.Int8(kSeq)); }

    void Broken(const std::string& problem) {
        sink_({"error", "broken_history", KeyText(change_.Bytes(kKey)), problem});
    }

    void CheckChange() {
        const int64 seq = change_.Int8(kSeq);
        const int64 version = change_.Int8(kVersion);
        std::optional<std::string_view> item;
        if (!change_.IsNull(kItem)) {
            item = change_.Bytes(kItem);
        }
        if (!IsInUse(static_cast<Oid>(change_.Int8(kTable)))) {
            Broken(Name() + ", version " + std::to_string(version) +
                   ": it lies in a member of the log that is not in use");
        }
        const std::string problem = StateProblem(change_.Bytes(kMeta), item, version, seq);
        if (!problem.empty()) {
            Broken(Name() + ", version " + std::to_string(version) + ": " + problem);
        }
        if (change_.Int8(kPrevSeq) != 0) {
            CheckPrevious(seq, version);
        }
    }

    void CheckPrevious(int64 seq, int64 version) {
        const int64 prev_seq = change_.Int8(kPrevSeq);
        const std::string link =
            Name() + ", version " + std::to_string(version) + ", follows change " + std::to_string(prev_seq);
        if (!change_.Bool(kPrevFound)) {
            if (prev_seq >= low_seq_) {
                Broken(link + ", which does not exist");
            }
            return;
        }
        if (prev_seq >= seq) {
            Broken(link + ", which is not older");
            return;
        }
        int64 prev_version;
        if (!change_.IsNull(kPrevKey)) {
            if (change_.Bytes(kPrevKey) != change_.Bytes(kKey)) {
                Broken(link + ", which is of key " + Quoted(change_.Bytes(kPrevKey)));
                return;
            }
            prev_version = change_.Int8(kPrevVersion);
        } else {
            const std::optional<Hash> meta_root = change_.Address(kPrevToMeta);
            MetadataHeader header;
            if (!meta_root || !objects_->FindMetadata(*meta_root, change_.Bytes(kKey), &header)) {
                return;  // reported with the range record
            }
            if (header.change.seq != static_cast<uint64_t>(prev_seq)) {
                Broken(link + ", which does not hold the key");
                return;
            }
            prev_version = static_cast<int64>(header.version);
        }
        const bool fits = MaySkipVersions(static_cast<Operation>(change_.Int4(kOp)))
                              ? prev_version < version
                              : prev_version == version - 1;
        if (!fits) {
            Broken(link + ", which is version " + std::to_string(prev_version));
        }
    }

    bool IsInUse(Oid table) const {
        return std::find(std::begin(tables_in_use_), std::end(tables_in_use_), table) !=
               std::end(tables_in_use_);
    }

    void CheckRange() {
        const std::optional<Hash> roots[] = {change_.Address(kFromData), change_.Address(kFromMeta),
                                             change_.Address(kToData), change_.Address(kToMeta)};
        if (!roots[0] || !roots[1] || !roots[2] || !roots[3]) {
            objects_->NoteUnreached();
            sink_({"error", "broken_history", Name(), "the range record does not name four roots"});
            return;
        }
        const TreePair from{*roots[0], *roots[1]};
        const TreePair to{*roots[2], *roots[3]};
        // One range record of a branch begins near where the one before it ended.
        std::optional<TreePair>& last = last_of_branch_[change_.Int4(kBranchId)];
        const bool from_in_order =
            objects_->CheckState(from, "state before " + Name(), last ? &*last : nullptr);
        const bool to_in_order = objects_->CheckState(to, "state after " + Name(),
                                                      from_in_order ? &from
                                                      : last        ? &*last
                                                                    : nullptr);
        if (to_in_order) {
            last = to;
        }
        if (from_in_order && to_in_order && static_cast<Operation>(change_.Int4(kOp)) == Operation::kImport) {
            CheckImport(from, to);
        }
    }

    // An import gives each key that it touches its next version.
    void CheckImport(const TreePair& from, const TreePair& to) {
        const auto seq = static_cast<uint64_t>(change_.Int8(kSeq));
        objects_->ForEachMetadataChange(from, to, [&](const TreeChange& change) {
            const MetadataHeader before =
                change.from ? DecodeMetadataHeader(*change.from).OrThrow() : MetadataHeader{};
            const MetadataHeader after =
                change.to ? DecodeMetadataHeader(*change.to).OrThrow() : MetadataHeader{};
            if (after.version != before.version + 1 || after.change.seq != seq) {
                sink_({"error", "broken_history", KeyText(change.key),
                       "import of " + Name() + " made version " + std::to_string(after.version) +
                           " of version " + std::to_string(before.version)});
            }
        });
    }

    ObjectCheck* objects_;
    MemoryContext scratch_;
    const FindingSink& sink_;
    OwnerQuery change_;
    int64 low_seq_;
    Oid tables_in_use_[kChangeMembers];
    std::map<int32, std::optional<TreePair>> last_of_branch_;
};

}  // namespace

void CheckChangeLog(ObjectCheck* objects, MemoryContext scratch, const FindingSink& sink) {
    ChangeLogCheck(objects, scratch, sink).Run();
    OwnerQuery repeated(
        "SELECT key, version, branch_id, count(*) FROM _kvs.change WHERE key IS NOT NULL "
        "GROUP BY key, version, branch_id HAVING count(*) > 1 ORDER BY key, version, branch_id");
    while (repeated.Next()) {
        sink({"error", "broken_history", KeyText(repeated.Bytes(1)),
              "version " + std::to_string(repeated.Int8(2)) + " was made " +
                  std::to_string(repeated.Int8(4)) + " times on branch " + std::to_string(repeated.Int4(3))});
    }
    repeated.Finish();
}

void CheckWorkingRows(const FindingSink& sink) {
    // While no branch is stored there is main, which has id 1.
    OwnerQuery stray(
        "SELECT w.branch_id, count(*) FROM _kvs.working AS w "
        "WHERE NOT EXISTS (SELECT FROM _kvs.branch AS b WHERE b.id = w.branch_id)"
        " AND (w.branch_id <> 1 OR EXISTS (SELECT FROM _kvs.branch)) "
        "GROUP BY w.branch_id ORDER BY w.branch_id");
    while (stray.Next()) {
        sink({"error", "dangling_ref", "branch " + std::to_string(stray.Int4(1)),
              "the branch does not exist but has uncommitted work (" + std::to_string(stray.Int8(2)) +
                  " keys)"});
    }
    stray.Finish();

    enum Column { kSeqOfRow = 1, kVersionOfRow, kKeyOfRow, kMetaOfRow, kItemOfRow, kLogged, kAgrees };
    OwnerQuery row(
        "SELECT w.change_seq, w.version, w.key, w.meta, w.item, c.seq IS NOT NULL,"
        " c.key IS NOT DISTINCT FROM w.key AND c.branch_id = w.branch_id AND c.version = w.version"
        " AND c.meta IS NOT DISTINCT FROM w.meta AND c.item IS NOT DISTINCT FROM w.item "
        "FROM _kvs.working AS w LEFT JOIN _kvs.change AS c ON c.seq = w.change_seq "
        "ORDER BY w.branch_id, w.key");
    const int64 low_seq = Guarded([] { return LowestKeptChange(); });
    while (row.Next()) {
        const int64 seq = row.Int8(kSeqOfRow);
        std::optional<std::string_view> item;
        if (!row.IsNull(kItemOfRow)) {
            item = row.Bytes(kItemOfRow);
        }
        std::string problem = StateProblem(row.Bytes(kMetaOfRow), item, row.Int8(kVersionOfRow), seq);
        const bool is_logged = row.Bool(kLogged);
        if (problem.empty() && !is_logged && seq >= low_seq) {
            problem = "change " + std::to_string(seq) + " does not exist";
        } else if (problem.empty() && is_logged && !row.Bool(kAgrees)) {
            problem = "change " + std::to_string(seq) + " says something else";
        }
        if (!problem.empty()) {
            sink({"error", "broken_history", KeyText(row.Bytes(kKeyOfRow)),
                  "uncommitted version " + std::to_string(row.Int8(kVersionOfRow)) + ": " + problem});
        }
    }
    row.Finish();
}

}  // namespace kvs::pg
