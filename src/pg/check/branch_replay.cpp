#include "pg/check/branch_replay.h"

#include <algorithm>
#include <span>
#include <utility>

#include "kvs/tree/chunk.h"
#include "kvs/util/quote.h"
#include "pg/check/branch_state.h"
#include "pg/check/check_objects.h"
#include "pg/check/fingerprint.h"
#include "pg/check/key_text.h"
#include "pg/table/branch_table.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"

namespace kvs::pg {

namespace {

enum Column { kBranch = 1, kKey, kSeq, kPrevSeq, kVersion, kOperation, kIsTold, kMeta, kItem };

// Of one branch; more are counted. A branch with the roots of another may have as many as it has keys.
constexpr uint64_t kMaxFindings = 100;

struct KnownBranch {
    int32 id;
    std::string name;
    TreePair working;
};

// Those whose roots are none were told.
std::vector<KnownBranch> ReadBranches() {
    std::vector<KnownBranch> branches;
    ForEachBranch(GetActiveSnapshot(), [&](const BranchRow& branch) {
        if (branch.data_root && branch.meta_root) {
            branches.push_back({branch.id, std::string(branch.name), {*branch.data_root, *branch.meta_root}});
        }
        return true;
    });
    return branches;
}

// The highest number that a branch was ever given.
int64 HighestBranchId() {
    OwnerQuery row("SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM _kvs.branch_id");
    row.Next();
    const int64 id = row.Int8(1);
    row.Finish();
    return id;
}

}  // namespace

bool MaySkipVersions(Operation operation) {
    return operation == Operation::kMerge || operation == Operation::kRevert ||
           operation == Operation::kReset;
}

BranchReplay::BranchReplay(ObjectCheck* objects, const LogEpochs* epochs, const FindingSink& sink)
    : objects_(objects),
      epochs_(epochs),
      sink_(sink),
      changes_({{"branch", INT8OID},
                {"key", BYTEAOID},
                {"seq", INT8OID},
                {"prev_seq", INT8OID},
                {"version", INT8OID},
                {"operation", INT8OID},
                {"is_told", INT8OID},
                {"meta", INT8OID},
                {"item", INT8OID}},
               {kBranch, kKey, kSeq}, maintenance_work_mem / 2) {}

void BranchReplay::AddChange(const Change& change) {
    const uint64_t meta = MetadataFingerprint(change.meta);
    const uint64_t item = LoggedItemFingerprint(change.item);
    changes_.Add([&](Datum* values) {
        values[kBranch - 1] = Int64GetDatum(change.branch);
        values[kKey - 1] = MakeVarlena(change.key);
        values[kSeq - 1] = Int64GetDatum(change.seq);
        values[kPrevSeq - 1] = Int64GetDatum(change.prev_seq);
        values[kVersion - 1] = Int64GetDatum(change.version);
        values[kOperation - 1] = Int64GetDatum(static_cast<int64>(change.operation));
        values[kIsTold - 1] = Int64GetDatum(change.is_told ? 1 : 0);
        values[kMeta - 1] = Int64GetDatum(static_cast<int64>(meta));
        values[kItem - 1] = Int64GetDatum(static_cast<int64>(item));
    });
}

void BranchReplay::AddRange(int32 branch, int64 seq, const std::optional<TreePair>& to) {
    ranges_[branch].push_back({seq, to});
}

// One walk over all changes, by branch and key, beside the branches and their uncommitted rows.
class BranchReplay::Pass {
  public:
    Pass(BranchReplay* replay, int64 low_seq)
        : replay_(replay),
          changes_(replay->changes_),
          objects_(replay->objects_),
          low_seq_(low_seq),
          highest_id_(HighestBranchId()),
          branches_(ReadBranches()),
          working_("SELECT (epoch >> 32)::int, key, change_seq FROM _kvs.working ORDER BY 1, 2") {}

    void Run() {
        has_working_ = working_.Next();
        has_change_ = changes_.Next();
        auto branch = branches_.begin();
        while (has_change_ || branch != branches_.end()) {
            if (branch == branches_.end() || (has_change_ && changes_.Int8(kBranch) < branch->id)) {
                Enter(static_cast<int32>(changes_.Int8(kBranch)), nullptr);
            } else {
                Enter(branch->id, &*branch);
                ++branch;
            }
            while (has_change_ && changes_.Int8(kBranch) == id_) {
                CheckKey();
            }
            TellUnexplained(std::nullopt, {});
            TellRest();
        }
        working_.Finish();
    }

  private:
    struct Row {
        int64 seq = 0;
        int64 prev_seq = 0;
        int64 version = 0;
        Operation operation = Operation::kSet;
        bool is_told = false;
        uint64_t metadata = 0;  // fingerprints
        uint64_t item = 0;
    };

    // What a key was before a change. seq 0: made in no log of this store, or not there.
    struct Origin {
        int64 seq;
        int64 version;
    };

    Row Current() const {
        return {changes_.Int8(kSeq),
                changes_.Int8(kPrevSeq),
                changes_.Int8(kVersion),
                static_cast<Operation>(changes_.Int8(kOperation)),
                changes_.Int8(kIsTold) != 0,
                static_cast<uint64_t>(changes_.Int8(kMeta)),
                static_cast<uint64_t>(changes_.Int8(kItem))};
    }

    void Enter(int32 id, const KnownBranch* branch) {
        id_ = id;
        name_ = branch != nullptr ? "branch " + Quoted(branch->name) : "branch " + std::to_string(id);
        const auto found = replay_->ranges_.find(id);
        ranges_ = found == replay_->ranges_.end() ? std::span<const Range>() : found->second;
        findings_ = 0;
        state_.reset();
        if (branch != nullptr && objects_->IsSound(branch->working)) {
            state_.emplace(&objects_->chunks(), branch->working, Base());
        }
        if (branch == nullptr && (id < kMainBranchId || id > highest_id_)) {
            replay_->sink_({"error", "dangling_ref", name_, "there are changes of it, but it never existed"});
        }
    }

    // A state of the branch from which on all its changes are there; nullopt if there is none.
    std::optional<TreePair> Base() const {
        if (ranges_.empty()) {
            return BeganEmpty() ? std::optional(TreePair{kEmptyRoot, kEmptyRoot}) : std::nullopt;
        }
        const Range& last = ranges_.back();
        return last.seq >= low_seq_ && last.to && objects_->IsSound(*last.to) ? last.to : std::nullopt;
    }

    // Whether the branch was empty before its first change in the log.
    bool BeganEmpty() const { return id_ == kMainBranchId && low_seq_ == 0; }

    // All changes of a key.
    void CheckKey() {
        key_ = changes_.Bytes(kKey);
        bool is_sound = true;
        std::optional<Row> newest;
        do {
            const Row row = Current();
            is_sound = is_sound && FollowsRight(row, newest ? &*newest : nullptr);
            newest = row;
            has_change_ = changes_.Next();
        } while (has_change_ && changes_.Int8(kBranch) == id_ && changes_.Bytes(kKey) == key_);
        const bool since_base = ranges_.empty() || newest->seq > ranges_.back().seq;
        TellUnexplained(key_, since_base ? key_ : std::string_view());
        if (state_ && since_base && is_sound && !newest->is_told && newest->seq >= low_seq_) {
            CheckNewest(*newest);
        }
    }

    // Rules 1 and 2. `before`: the change of the key before this one; null for the first.
    bool FollowsRight(const Row& row, const Row* before) {
        if (before != nullptr && row.version <= before->version) {
            Found(Name(row) + ", comes after version " + std::to_string(before->version) + " on " + name_);
            return false;
        }
        const std::optional<Origin> origin = row.is_told ? std::nullopt : OriginOf(row, before);
        if (!origin) {
            return true;
        }
        const bool may_skip = MaySkipVersions(row.operation);
        if (row.prev_seq != origin->seq && !(may_skip && row.prev_seq != 0)) {
            Found(Name(row) + ", follows " + ChangeName(row.prev_seq) + ", but on " + name_ + " " +
                  ChangeName(origin->seq) + " was before it");
            return false;
        }
        if (may_skip ? row.version <= origin->version : row.version != origin->version + 1) {
            Found(Name(row) + ", follows version " + std::to_string(origin->version) + " on " + name_);
            return false;
        }
        return true;
    }

    // nullopt: it is not known.
    std::optional<Origin> OriginOf(const Row& row, const Row* before) const {
        const auto behind = std::partition_point(ranges_.begin(), ranges_.end(),
                                                 [&](const Range& range) { return range.seq < row.seq; });
        const Range* range = behind == ranges_.begin() ? nullptr : &*(behind - 1);
        if (before != nullptr && (range == nullptr || range->seq < before->seq)) {
            return before->seq >= low_seq_ ? std::optional(Origin{before->seq, before->version})
                                           : std::nullopt;
        }
        if (range == nullptr) {
            return BeganEmpty() ? std::optional(Origin{0, 0}) : std::nullopt;
        }
        MetadataHeader header;
        if (range->seq < low_seq_ || !range->to ||
            !objects_->FindMetadata(range->to->meta_root, key_, &header)) {
            return std::nullopt;
        }
        return Origin{replay_->epochs_->Own(header.change) ? static_cast<int64>(header.change.seq) : 0,
                      static_cast<int64>(header.version)};
    }

    // Rule 3.
    void CheckNewest(const Row& row) {
        if (const std::optional<int64> uncommitted = UncommittedChange()) {
            if (*uncommitted < row.seq) {
                Found(Name(row) + ", is newer than the uncommitted version on " + name_);
            }
            return;  // and that an uncommitted row is what its change says was checked
        }
        const BranchState::Entry entry = state_->Read(key_);
        std::string has;
        if (entry.version == 0) {
            has = "which does not have the key";
        } else if (entry.version != static_cast<uint64_t>(row.version)) {
            has = "which has version " + std::to_string(entry.version);
        } else if (entry.metadata != row.metadata) {
            has = "which has other metadata";
        } else if (entry.item != row.item) {
            has = "which has another value";
        } else {
            return;
        }
        const bool is_lost = entry.version < static_cast<uint64_t>(row.version);
        Found(Name(row) + ", is the newest on " + name_ + ", " + has, is_lost ? row.seq : 0);
    }

    // The change that the uncommitted row of the key names; nullopt if there is no such row.
    std::optional<int64> UncommittedChange() {
        while (has_working_ &&
               (working_.Int4(1) < id_ || (working_.Int4(1) == id_ && working_.Bytes(2) < key_))) {
            has_working_ = working_.Next();
        }
        const bool found = has_working_ && working_.Int4(1) == id_ && working_.Bytes(2) == key_;
        return found ? std::optional(working_.Int8(3)) : std::nullopt;
    }

    // Rule 4: of what differs from the base up to the key `last`, all but the key `explained`.
    void TellUnexplained(const std::optional<std::string>& last, std::string_view explained) {
        if (!state_) {
            return;
        }
        const std::string end = last.value_or(std::string()) + '\0';
        while (const std::optional<std::string_view> key =
                   state_->NextChanged(last ? std::optional<std::string_view>(end) : std::nullopt)) {
            if (*key != explained) {
                const std::string version = std::to_string(state_->Read(*key).version);
                FoundAt(*key, "no change of " + name_ + " made version " + version + " there");
            }
        }
    }

    static std::string ChangeName(int64 seq) { return seq == 0 ? "none" : "change " + std::to_string(seq); }

    static std::string Name(const Row& row) {
        return ChangeName(row.seq) + ", version " + std::to_string(row.version);
    }

    void Found(const std::string& problem, int64 lost_change = 0) { FoundAt(key_, problem, lost_change); }

    void FoundAt(std::string_view key, const std::string& problem, int64 lost_change = 0) {
        // What is lost can be put back, so all of it is told.
        if (lost_change != 0 || findings_++ < kMaxFindings) {
            replay_->sink_({"error", "broken_history", KeyText(key), problem, false, lost_change});
        }
    }

    void TellRest() {
        if (findings_ > kMaxFindings) {
            replay_->sink_(
                {"error", "broken_history", name_,
                 std::to_string(findings_ - kMaxFindings) + " more keys do not agree with the log"});
        }
    }

    BranchReplay* replay_;
    RowSort& changes_;
    ObjectCheck* objects_;
    const int64 low_seq_;
    const int64 highest_id_;
    const std::vector<KnownBranch> branches_;
    OwnerQuery working_;
    bool has_working_ = false;
    bool has_change_ = false;

    // Of the branch that the walk is at.
    int32 id_ = 0;
    std::string name_;
    std::span<const Range> ranges_;
    std::optional<BranchState> state_;  // if it exists and its trees are whole
    uint64_t findings_ = 0;

    std::string key_;
};

void BranchReplay::Run(int64 low_seq) {
    changes_.Sort();
    Pass(this, low_seq).Run();
    changes_.Finish();
}

}  // namespace kvs::pg
