#include "pg/transfer/bundle_export.h"

#include <utility>

#include "kvs/version/ref.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/branch_table.h"
#include "pg/table/commit_table.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"

namespace kvs::pg {

namespace {

// What an importer's ref will be called: the branch or tag that was exported, else the commit's hash.
std::string NameOfRef(std::string_view text, const Hash& commit, Snapshot snapshot) {
    const Ref ref = ParseRef(text).OrThrow();
    if (ref.steps.empty() && ref.base == Ref::Base::kHead) {
        return FindBranch({}, snapshot).name;
    }
    return ref.steps.empty() && ref.base == Ref::Base::kName ? ref.name : commit.ToHex();
}

}  // namespace

BundleExport::BundleExport(std::string_view ref, std::optional<std::string_view> since, Snapshot snapshot)
    : writer_(hasher_), chunks_(snapshot), snapshot_(snapshot), scratch_(Guarded([] {
          return AllocSetContextCreate(CurrentMemoryContext, "kvs bundle", ALLOCSET_DEFAULT_SIZES);
      })) {
    head_ = ResolveCommit(ref, {}, snapshot);
    name_ = NameOfRef(ref, head_, snapshot);
    std::vector<Hash> without;
    if (since) {
        without.push_back(ResolveCommit(*since, {}, snapshot));
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

std::optional<std::string> BundleExport::NextPart(Snapshot snapshot) {
    if (is_finished_) {
        return std::nullopt;
    }
    snapshot_ = snapshot;
    chunks_.set_snapshot(snapshot);
    const MemoryScope scope(scratch_);
    while (!is_finished_ && !writer_.IsPartFull()) {
        Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            MemoryContextReset(scratch_);
        });
        Advance();
    }
    return writer_.TakePart();
}

// Writes a few records.
void BundleExport::Advance() {
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

void BundleExport::OpenWindow() {
    window_.clear();
    while (next_commit_ < range_.commits.size() && window_.size() < kCommitWindow) {
        const Hash& hash = range_.commits[next_commit_++];
        window_.push_back({hash, ReadCommit(hash, snapshot_)});
    }
    walk_.emplace(chunks_);
    AddWindow(&*walk_, window_, [&](const Hash& parent) { return ReadCommit(parent, snapshot_); });
}

}  // namespace kvs::pg
