#include "pg/read/blame.h"

#include <algorithm>
#include <iterator>

#include "kvs/codec/item.h"
#include "kvs/tree/cursor.h"
#include "kvs/tree/diff.h"
#include "kvs/util/quote.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

// Of the first batch, so that who asks for a few rows does not wait for many, and by how much each is larger
// than the one before.
constexpr size_t kFirstBatch = 64;
constexpr size_t kGrowth = 8;
constexpr size_t kLargestBatch = size_t{1} << 24;

// What a key takes beside its bytes: its row, its place in a list of suspects.
constexpr size_t kKeyOverhead = 96;

// So many changes in a row of keys that nobody asks for, and the difference is taken up again at the next
// key.
constexpr int kIdleChanges = 16;

constexpr size_t kResetEvery = 256;

size_t BatchBytes() {
    return static_cast<size_t>(work_mem) * 1024 / 2;
}

bool SameValue(std::string_view a, std::string_view b) {
    const DataItem item_a = DecodeDataItem(a).OrThrow();
    const DataItem item_b = DecodeDataItem(b).OrThrow();
    return item_a.type == item_b.type && item_a.blob == item_b.blob && item_a.payload == item_b.payload;
}

}  // namespace

Blame::Blame(const ResolvedRef& ref, const Pattern& pattern, Snapshot snapshot, MemoryContext scratch)
    : snapshot_(snapshot),
      scratch_(scratch),
      chunks_(snapshot),
      scan_(ViewOf(ref, snapshot), pattern, true),
      start_(ref.is_working ? ref.branch.head : ref.commit),
      batch_size_(kFirstBatch) {
    if (ref.is_working) {
        uncommitted_.emplace(HeadView(ref.branch, snapshot), WorkingView(ref.branch, snapshot), &pattern);
        more_uncommitted_ = uncommitted_->Next();
    }
}

void Blame::set_snapshot(Snapshot snapshot) {
    snapshot_ = snapshot;
    chunks_.set_snapshot(snapshot);
    scan_.set_snapshot(snapshot);
    if (uncommitted_) {
        uncommitted_->set_snapshot(snapshot);
    }
}

bool Blame::Next() {
    if (current_ + 1 < batch_.size()) {
        current_++;
        return true;
    }
    current_ = 0;
    MemoryScope scope(scratch_);
    return Fill();
}

// Reads the next batch and blames it; false if there are no more keys.
bool Blame::Fill() {
    batch_.clear();
    commits_.clear();
    Keys committed;
    size_t bytes = 0;
    while (batch_.size() < batch_size_ && bytes < BatchBytes() && scan_.Next()) {
        const EntryScan& entry = scan_.entry();
        bytes += entry.key().size() + kKeyOverhead;
        const std::string key(entry.key());
        if (!IsUncommitted(key)) {
            committed.push_back(static_cast<uint32_t>(batch_.size()));
        }
        batch_.push_back({key, DecodeMetadataHeader(entry.meta()).OrThrow().version, nullptr});
        if (batch_.size() % kResetEvery == 0) {
            Guarded([&] {
                CHECK_FOR_INTERRUPTS();
                MemoryContextReset(scratch_);
            });
        }
    }
    batch_size_ = std::min(batch_size_ * kGrowth, kLargestBatch);
    if (!committed.empty()) {
        Suspect(start_, std::make_shared<const Commit>(ReadCommit(start_, snapshot_)), std::move(committed));
    }
    while (!suspects_.empty()) {
        Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            MemoryContextReset(scratch_);
        });
        auto youngest = suspects_.extract(std::prev(suspects_.end()));
        Examine(youngest.key().second, std::move(youngest.mapped()));
    }
    return !batch_.empty();
}

// Keys are asked for in ascending order.
bool Blame::IsUncommitted(const std::string& key) {
    while (more_uncommitted_ && uncommitted_->key() < key) {
        more_uncommitted_ = uncommitted_->Next();
    }
    return more_uncommitted_ && uncommitted_->key() == key && uncommitted_->type() != DiffType::kMetadata;
}

void Blame::Suspect(const Hash& hash, CommitRef commit, Keys keys) {
    if (keys.empty()) {
        return;
    }
    SuspectCommit& suspect = suspects_[{commit->generation, hash}];
    if (suspect.keys.empty()) {
        suspect.keys = std::move(keys);
    } else {
        Keys all;
        all.reserve(suspect.keys.size() + keys.size());
        std::merge(suspect.keys.begin(), suspect.keys.end(), keys.begin(), keys.end(),
                   std::back_inserter(all));
        suspect.keys = std::move(all);
    }
    suspect.commit = std::move(commit);
}

// Passes the keys on to parents that have the same values, and blames the commit for the others.
void Blame::Examine(const Hash& hash, SuspectCommit suspect) {
    Keys keys = std::move(suspect.keys);
    for (const Hash& parent : suspect.commit->parents) {
        if (keys.empty()) {
            return;
        }
        CommitRef older = ReadAncestor(parent, snapshot_);
        Keys changed = TakeChanged(older->data_root, suspect.commit->data_root, &keys);
        Suspect(parent, std::move(older), std::move(keys));
        keys = std::move(changed);
    }
    Convict(hash, *suspect.commit, keys);
}

// Takes those out of `keys` whose values differ between the two trees; all of them are in the tree of `root`.
Blame::Keys Blame::TakeChanged(const Hash& parent_root, const Hash& root, Keys* keys) {
    Keys changed;
    const std::string end = batch_[keys->back()].key + std::string(1, '\0');
    const auto is_before = [&](uint32_t index, std::string_view key) { return batch_[index].key < key; };
    DiffCursor diff(chunks_, parent_root, root, {batch_[keys->front()].key, end});
    auto key = keys->begin();
    int idle = 0;
    while (const std::optional<TreeChange> change = diff.Next()) {
        key = std::lower_bound(key, keys->end(), change->key, is_before);
        if (key == keys->end()) {
            break;
        }
        if (batch_[*key].key == change->key) {
            if (!change->from || !change->to || !SameValue(*change->from, *change->to)) {
                changed.push_back(*key);
            }
            if (++key == keys->end()) {
                break;
            }
            idle = 0;
        } else if (++idle == kIdleChanges) {
            Guarded([] { CHECK_FOR_INTERRUPTS(); });
            diff = DiffCursor(chunks_, parent_root, root, {batch_[*key].key, end});
            idle = 0;
        }
    }
    auto taken = changed.begin();
    const auto is_taken = [&](uint32_t index) {
        if (taken == changed.end() || *taken != index) {
            return false;
        }
        ++taken;
        return true;
    };
    if (!changed.empty()) {
        keys->erase(std::remove_if(keys->begin(), keys->end(), is_taken), keys->end());
    }
    return changed;
}

void Blame::Convict(const Hash& hash, const Commit& commit, const Keys& keys) {
    if (keys.empty()) {
        return;
    }
    commits_.push_back({hash, commit.author, commit.message, commit.committed_at});
    Cursor metadata(chunks_, commit.meta_root);
    for (const uint32_t index : keys) {
        BlamedKey& blamed = batch_[index];
        if (!metadata.Seek(blamed.key) || metadata.CompareKey(blamed.key) != 0) {
            throw Damaged("key " + Quoted(blamed.key) + " has no metadata in commit " + hash.ToHex());
        }
        blamed.version = DecodeMetadataHeader(metadata.value()).OrThrow().version;
        blamed.commit = &commits_.back();
    }
}

}  // namespace kvs::pg
