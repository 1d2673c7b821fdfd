#include "pg/check/check_history.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>

#include "kvs/codec/item.h"
#include "kvs/util/quote.h"
#include "pg/check/key_text.h"
#include "pg/check/state_problem.h"
#include "pg/table/change_log.h"
#include "pg/table/change_members.h"
#include "pg/table/owner_query.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

enum ChangeQueryColumn {
    kSeq = 1,
    kPrevSeq,
    kVersion,
    kBranchId,
    kOp,
    kKey,
    kMeta,
    kItem,
    kPrevFound,
    kPrevKey,
    kPrevVersion,
    kPrevRoots,
    kTable,
    kXid,
};

constexpr const char* kChangeQuery =
    "SELECT c.seq, c.prev_seq, c.version, c.branch_id, c.op::int4, c.key, c.meta, c.item, p.seq IS NOT NULL,"
    " p.key, p.version, CASE WHEN p.key IS NULL THEN p.item END, c.tableoid::int8, c.xid "
    "FROM _kvs.change AS c LEFT JOIN _kvs.change AS p ON p.seq = c.prev_seq "
    "ORDER BY c.seq";

// What writes a key: whether its kind of operation is known, and can leave, or take away, a value.
const char* OperationProblem(Operation operation, bool has_value) {
    switch (operation) {
        case Operation::kSet:
        case Operation::kPatch:
        case Operation::kImport:
            return has_value ? nullptr : "it writes a value but has none";
        case Operation::kDelete:
            return has_value ? "it deletes but has a value" : nullptr;
        case Operation::kExpire:  // another life, or the end of it
        case Operation::kMerge:
        case Operation::kRevert:
        case Operation::kReset:
        case Operation::kRestore:
            return nullptr;
    }
    return "its operation is unknown";
}

const char* OperationOfRangeProblem(Operation operation) {
    switch (operation) {
        case Operation::kImport:
        case Operation::kMerge:
        case Operation::kRevert:
        case Operation::kReset:
            return nullptr;
        default:
            return "its operation makes no range records";
    }
}

class ChangeLogCheck {
  public:
    ChangeLogCheck(ObjectCheck* objects, const LogEpochs* epochs, ChangeClaims* claims, BranchReplay* replay,
                   MemoryContext scratch, const FindingSink& sink)
        : objects_(objects),
          epochs_(epochs),
          claims_(claims),
          replay_(replay),
          scratch_(scratch),
          sink_(sink),
          change_(kChangeQuery) {
        Guarded([&] {
            next_xid_ = U64FromFullTransactionId(ReadNextFullTransactionId());
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

    int64 low_seq() const { return low_seq_; }

  private:
    std::string Name() { return "change " + std::to_string(change_.Int8(kSeq)); }

    void Broken(const std::string& problem) {
        is_told_ = true;
        sink_({"error", "broken_history", KeyText(change_.Bytes(kKey)), problem});
    }

    void Contradicts(const std::string& problem) {
        Broken(Name() + ", version " + std::to_string(change_.Int8(kVersion)) + ": " + problem);
    }

    // The transactions of a restored log were another server's.
    bool IsFuture() { return change_.Int8(kSeq) >= epochs_->first_seq_here() && Xid() >= next_xid_; }
    uint64 Xid() { return static_cast<uint64>(change_.Int8(kXid)); }

    void CheckChange() {
        const int64 seq = change_.Int8(kSeq);
        const int64 version = change_.Int8(kVersion);
        const std::string meta = epochs_->WholeMetadata(change_.Bytes(kMeta), version, seq);
        std::optional<std::string_view> item;
        if (!change_.IsNull(kItem)) {
            item = change_.Bytes(kItem);
        }
        is_told_ = false;
        if (!IsInUse(static_cast<Oid>(change_.Int8(kTable)))) {
            Contradicts("it lies in a member of the log that is not in use");
        }
        if (const std::string problem = StateProblem(meta, item, version, seq); !problem.empty()) {
            Contradicts(problem);
        } else if (const char* wrong = OperationProblem(operation(), item.has_value())) {
            Contradicts(wrong);
        }
        if (IsFuture()) {
            Contradicts("transaction " + std::to_string(Xid()) + " has not begun");
        }
        if (change_.Int8(kPrevSeq) != 0) {
            CheckPrevious(seq, version);
        }
        claims_->AddChange(seq, change_.Bytes(kKey), version, meta);
        replay_->AddChange({change_.Int4(kBranchId), change_.Bytes(kKey), seq, change_.Int8(kPrevSeq),
                            version, operation(), is_told_, meta, item});
    }

    Operation operation() { return static_cast<Operation>(change_.Int4(kOp)); }

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
            const std::optional<RangeRoots> roots = ReadRangeRoots(change_.Bytes(kPrevRoots));
            MetadataHeader header;
            if (!roots || !objects_->FindMetadata(roots->to.meta_root, change_.Bytes(kKey), &header)) {
                return;  // reported with the range record
            }
            if (header.change.seq != static_cast<uint64_t>(prev_seq)) {
                Broken(link + ", which does not hold the key");
                return;
            }
            prev_version = static_cast<int64>(header.version);
        }
        const bool fits = MaySkipVersions(operation()) ? prev_version < version : prev_version == version - 1;
        if (!fits) {
            Broken(link + ", which is version " + std::to_string(prev_version));
        }
    }

    bool IsInUse(Oid table) const {
        return std::find(std::begin(tables_in_use_), std::end(tables_in_use_), table) !=
               std::end(tables_in_use_);
    }

    void CheckRange() {
        const std::optional<RangeRoots> roots = ReadRangeRoots(change_.Bytes(kItem));
        if (!roots) {
            objects_->NoteUnreached();
            sink_({"error", "broken_history", Name(), "the range record does not name four roots"});
            claims_->AddDamagedRange(change_.Int8(kSeq));
            replay_->AddRange(change_.Int4(kBranchId), change_.Int8(kSeq), std::nullopt);
            return;
        }
        const TreePair& from = roots->from;
        const TreePair& to = roots->to;
        if (const std::string problem = RangeProblem(); !problem.empty()) {
            sink_({"error", "broken_history", Name(), problem});
        } else if (IsFuture()) {
            sink_({"error", "broken_history", Name(),
                   "transaction " + std::to_string(Xid()) + " has not begun"});
        }
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
        claims_->AddRange(change_.Int8(kSeq), from, to);
        replay_->AddRange(change_.Int4(kBranchId), change_.Int8(kSeq), to);
        if (from_in_order && to_in_order && operation() == Operation::kImport) {
            CheckImport(from, to);
        }
    }

    std::string RangeProblem() {
        if (const char* problem = OperationOfRangeProblem(operation())) {
            return problem;
        }
        // It may have an origin and a trace.
        if (!change_.IsNull(kMeta)) {
            const Result<Metadata> metadata =
                DecodeMetadata(epochs_->WholeMetadata(change_.Bytes(kMeta), 0, change_.Int8(kSeq)));
            if (!metadata.ok()) {
                return metadata.error().what();
            }
        }
        return {};
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
    const LogEpochs* epochs_;
    ChangeClaims* claims_;
    BranchReplay* replay_;
    MemoryContext scratch_;
    const FindingSink& sink_;
    OwnerQuery change_;
    bool is_told_ = false;  // something is wrong with the change at hand
    int64 low_seq_;
    uint64 next_xid_;
    Oid tables_in_use_[kChangeMembers];
    std::map<int32, std::optional<TreePair>> last_of_branch_;
};

}  // namespace

int64 CheckChangeLog(ObjectCheck* objects, const LogEpochs* epochs, ChangeClaims* claims,
                     BranchReplay* replay, MemoryContext scratch, const FindingSink& sink) {
    ChangeLogCheck check(objects, epochs, claims, replay, scratch, sink);
    check.Run();
    return check.low_seq();
}

}  // namespace kvs::pg
