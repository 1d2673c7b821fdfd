// Bundles: export_bundle, import_bundle.
#include <optional>
#include <string>
#include <vector>

#include "kvs/version/bundle.h"
#include "kvs/version/ref.h"
#include "pg/branch/ref_edit.h"
#include "pg/chunk/chunk_store.h"
#include "pg/read/commit_range.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/access_guard.h"
#include "pg/table/commit_table.h"
#include "pg/table/remote_table.h"
#include "pg/table/tag_table.h"
#include "pg/transfer/object_intake.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/server_hasher.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kEditMode = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// What an importer's ref will be called: the branch or tag that was exported, else the commit's hash.
std::string NameOfRef(std::string_view text, const Hash& commit, Snapshot snapshot) {
    const Ref ref = ParseRef(text).OrThrow();
    if (ref.steps.empty() && ref.base == Ref::Base::kHead) {
        return FindBranch({}, snapshot).name;
    }
    return ref.steps.empty() && ref.base == Ref::Base::kName ? ref.name : commit.ToHex();
}

// (ref, since): parts as rows. Chunks of a window of commits, then these commits, and so on.
class BundleParts {
  public:
    explicit BundleParts(FunctionCallInfo fcinfo) : writer_(hasher_), chunks_(GetActiveSnapshot()) {
        struct Arguments {
            std::string_view ref;
            std::optional<std::string_view> since;
        };
        const Arguments arguments = Guarded([&] {
            RequireRead();
            scratch_ = AllocSetContextCreate(CurrentMemoryContext, "kvs bundle", ALLOCSET_DEFAULT_SIZES);
            return Arguments{RequiredBytes(fcinfo, 0, "ref"), OptionalBytes(fcinfo, 1)};
        });
        Snapshot snapshot = GetActiveSnapshot();
        head_ = ResolveCommit(arguments.ref, {}, snapshot);
        name_ = NameOfRef(arguments.ref, head_, snapshot);
        std::vector<Hash> without;
        if (arguments.since) {
            without.push_back(ResolveCommit(*arguments.since, {}, snapshot));
        }
        range_ = CommitsBetween(head_, without, snapshot);
        for (const Hash& commit : range_.boundary) {
            if (commit != kInitialCommit) {
                writer_.AddPrerequisite(commit);
            }
        }
        if (range_.commits.empty() && head_ != kInitialCommit) {
            writer_.AddPrerequisite(head_);
        }
    }

    bool Next(FunctionCallInfo, Datum* row, bool*) {
        if (is_finished_) {
            return false;
        }
        snapshot_ = GetActiveSnapshot();
        chunks_.set_snapshot(snapshot_);
        {
            MemoryScope scope(scratch_);
            while (!is_finished_ && !writer_.IsPartFull()) {
                Guarded([&] {
                    CHECK_FOR_INTERRUPTS();
                    MemoryContextReset(scratch_);
                });
                Advance();
            }
        }
        const std::string part = writer_.TakePart();
        *row = Guarded([&] { return MakeVarlena(part); });
        return true;
    }

  private:
    // Writes a few records.
    void Advance() {
        if (!walk_) {
            if (next_commit_ == range_.commits.size()) {
                writer_.AddHead(name_, head_);
                is_finished_ = true;
                return;
            }
            OpenWindow();
        }
        const std::vector<ObjectWalk::Step> steps = walk_->Take(1);
        if (!steps.empty()) {
            ChunkStore::Portable chunk = chunks_.ReadPortable(steps[0].address);
            writer_.AddChunk(chunk.frame);
            walk_->Expand(steps[0], std::move(chunk.raw));
            return;
        }
        for (const NamedCommit& named : window_) {
            writer_.AddCommit(EncodeCommit(named.commit));
        }
        walk_.reset();
    }

    void OpenWindow() {
        window_.clear();
        while (next_commit_ < range_.commits.size() && window_.size() < kCommitWindow) {
            const Hash& hash = range_.commits[next_commit_++];
            window_.push_back({hash, ReadCommit(hash, snapshot_)});
        }
        walk_.emplace(chunks_);
        AddWindow(&*walk_, window_, [&](const Hash& parent) { return ReadCommit(parent, snapshot_); });
    }

    ServerHasher hasher_;
    BundleWriter writer_;
    ChunkStore chunks_;
    Snapshot snapshot_ = nullptr;
    MemoryContext scratch_;  // of one step
    Hash head_;
    std::string name_;
    CommitRange range_;
    size_t next_commit_ = 0;
    std::vector<NamedCommit> window_;
    std::optional<ObjectWalk> walk_;  // of the window
    bool is_finished_ = false;
};

// Takes the records of a bundle in their order.
class BundleImport {
  public:
    explicit BundleImport(Snapshot snapshot) : intake_(snapshot) {}

    void Take(const BundleRecord& record) {
        switch (record.kind) {
            case BundleRecord::Kind::kPrerequisite:
                RequireWhole(record.hash);
                break;
            case BundleRecord::Kind::kChunk:
                TakeWindow();
                intake_.AddChunk(record.bytes);
                break;
            case BundleRecord::Kind::kCommit:
                window_.push_back(ObjectIntake::Decode(record.bytes));
                if (window_.size() == kCommitWindow) {
                    TakeWindow();
                }
                break;
            case BundleRecord::Kind::kHead:
                TakeWindow();
                intake_.Flush();
                RequireWhole(record.hash);
                head_ = record.hash;
                name_ = record.bytes;
                break;
        }
    }

    const Hash& head() const { return head_; }
    const std::string& name() const { return name_; }

  private:
    void RequireWhole(const Hash& commit) {
        if (!intake_.IsWhole(commit)) {
            throw Error(ErrorCode::kWrongState, "commit " + commit.ToHex() + " is missing",
                        "The bundle builds on it: import the one that has it first, or fetch it.");
        }
    }

    void TakeWindow() {
        if (!window_.empty()) {
            intake_.AddCommits(window_);
            window_.clear();
        }
    }

    ObjectIntake intake_;
    std::vector<NamedCommit> window_;
    Hash head_;
    std::string name_;
};

// Whether a name from outside can stand behind "bundle/".
void RequireRefName(const std::string& name) {
    const bool is_hash = Hash::FromHex(name).has_value();
    if (!is_hash && !ValidateRefName(name).ok()) {
        throw Error(ErrorCode::kCorruption, "the name that the bundle gives to its head is malformed");
    }
}

Datum ImportBundle(const DatumArray& parts) {
    BeginRefEdit();
    Snapshot snapshot = RegisterNewestSnapshot();
    ServerHasher hasher;
    BundleReader reader(hasher);
    BundleImport import(snapshot);
    for (int i = 0; i < parts.count; i++) {
        struct varlena* part = Guarded([&] { return PG_DETOAST_DATUM_PACKED(parts.elements[i]); });
        reader.ReadPart(Contents(part), [&](const BundleRecord& record) { import.Take(record); }).OrThrow();
        if (PointerGetDatum(part) != parts.elements[i]) {
            pfree(part);
        }
    }
    if (!reader.IsComplete()) {
        throw Error(ErrorCode::kWrongState, "the bundle is not complete",
                    "Pass all parts of one bundle in the order in which they were exported.");
    }
    RequireRefName(import.name());
    SetRemoteRef(kBundleRemote, import.name(), import.head());
    ReleaseSnapshot(snapshot);
    const std::string hex = import.head().ToHex();
    return Guarded([&] { return MakeVarlena(hex); });
}

}  // namespace

// (ref, since)
KVS_FUNCTION(kvs_export_bundle)
{ return StreamRows<BundleParts>(fcinfo); }

// (parts)
KVS_FUNCTION(kvs_import_bundle)
{
    RequireWrite(kEditMode, "kvs.import_bundle()");
    return ImportBundle(RequiredArray(fcinfo, 0, "parts"));
}

}  // namespace kvs::sqlapi
