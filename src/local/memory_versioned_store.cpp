#include "kvs/local/memory_versioned_store.h"

#include <set>

#include "kvs/error.h"
#include "kvs/local/local_services.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

using State = MemoryVersionedStore::State;

// The newest revision, tombstone or not; nullptr: never written.
const StoredEntry* Newest(const State& state, const std::string& key) {
    const auto found = state.find(key);
    return found == state.end() ? nullptr : &found->second.back();
}

// What a reader sees of a key.
const StoredEntry* Living(const State& state, const std::string& key, Timestamp now) {
    const StoredEntry* newest = Newest(state, key);
    return newest != nullptr && IsLive(*newest, now) ? newest : nullptr;
}

uint64_t VersionOf(const StoredEntry* entry) {
    return entry == nullptr ? 0 : entry->metadata.version;
}

bool SamePayload(const StoredEntry& left, const StoredEntry& right) {
    return left.value.type == right.value.type && left.value.payload == right.value.payload;
}

bool SameContent(const StoredEntry& left, const StoredEntry& right) {
    return left.value == right.value && left.metadata.tags == right.metadata.tags &&
           left.metadata.schema_hash == right.metadata.schema_hash;
}

// As a commit compares them: a tombstone is nothing, but an expired entry that nobody has removed is there.
bool SameStanding(const StoredEntry* left, const StoredEntry* right) {
    const bool left_stands = left != nullptr && !left->metadata.deleted;
    const bool right_stands = right != nullptr && !right->metadata.deleted;
    return left_stands == right_stands && (!left_stands || SameContent(*left, *right));
}

std::optional<StoredEntry> CopyOf(const StoredEntry* entry) {
    return entry == nullptr ? std::nullopt : std::optional(*entry);
}

// The keys of either state.
std::set<std::string> KeysOf(const State& left, const State& right) {
    std::set<std::string> keys;
    for (const State* state : {&left, &right}) {
        for (const auto& [key, revisions] : *state) {
            keys.insert(key);
        }
    }
    return keys;
}

bool SameStanding(const State& left, const State& right) {
    for (const std::string& key : KeysOf(left, right)) {
        if (!SameStanding(Newest(left, key), Newest(right, key))) {
            return false;
        }
    }
    return true;
}

[[noreturn]] void ThrowUnknown(const std::string& what) {
    throw Error(ErrorCode::kUnknownRef, what + " does not exist");
}

}  // namespace

MemoryVersionedStore::MemoryVersionedStore() : commits_(1) {
    branches_["main"];
}

StoredEntry MemoryVersionedStore::Put(const std::string& branch, const std::string& key, const Value& value,
                                      const WriteOptions& options, Timestamp now) {
    const WriteRequest request{WriteKind::kPut, Operation::kSet, options, value.expires_at};
    return *Write(branch, key, request, now, [&](const Value*) { return value; });
}

StoredEntry MemoryVersionedStore::Patch(const std::string& branch, const std::string& key,
                                        std::string_view delta, const WriteOptions& options, Timestamp now) {
    const WriteRequest request{WriteKind::kPatch, Operation::kPatch, options, std::nullopt};
    return *Write(branch, key, request, now,
                  [&](const Value* current) { return LocalPatchService().Apply(current, delta); });
}

bool MemoryVersionedStore::Delete(const std::string& branch, const std::string& key,
                                  const WriteOptions& options, Timestamp now) {
    const WriteRequest request{WriteKind::kDelete, Operation::kDelete, options, std::nullopt};
    return Write(branch, key, request, now, nullptr).has_value();
}

bool MemoryVersionedStore::Cas(const std::string& branch, const std::string& key, const Value& value,
                               const WriteOptions& options, Timestamp now) {
    const WriteRequest request{WriteKind::kCas, Operation::kSet, options, std::nullopt};
    return Write(branch, key, request, now, [&](const Value*) { return value; }).has_value();
}

bool MemoryVersionedStore::Touch(const std::string& branch, const std::string& key,
                                 std::optional<Timestamp> expires_at, const WriteOptions& options,
                                 Timestamp now) {
    const WriteRequest request{WriteKind::kTouch, Operation::kExpire, options, expires_at};
    return Write(branch, key, request, now, [&](const Value* current) { return *current; }).has_value();
}

std::optional<StoredEntry> MemoryVersionedStore::Write(
    const std::string& branch, const std::string& key, const WriteRequest& request, Timestamp now,
    const std::function<Value(const Value* current)>& new_value) {
    State& working = Find(branch).working;
    const StoredEntry* current = Newest(working, key);
    const Previous previous = PreviousOf(current, now);
    WriteDecision decision = DecideWrite(key, previous, request);
    if (decision.outcome == WriteDecision::Outcome::kNothing) {
        return std::nullopt;
    }
    StoredEntry next{{}, std::move(decision.metadata), {}, request.operation};
    if (decision.outcome == WriteDecision::Outcome::kValue) {
        next.value = new_value(previous.Exists() ? &current->value : nullptr);
        next.value.expires_at = decision.expires_at;
        next.data_hash = LocalHashingService().CalculateDataHash(next.value);
    }
    next.metadata.change = NextChange();
    working[key].push_back(next);
    return next;
}

std::optional<MemoryVersionedStore::CommitNumber> MemoryVersionedStore::MakeCommit(const std::string& branch,
                                                                                   const std::string& message,
                                                                                   const std::string& author,
                                                                                   Timestamp now) {
    Branch& target = Find(branch);
    if (SameStanding(At(target.head).state, target.working)) {
        return std::nullopt;
    }
    commits_.push_back(Commit{target.head, target.working, message, author, now});
    target.head = commits_.size() - 1;
    return target.head;
}

void MemoryVersionedStore::Reset(const std::string& branch, CommitNumber commit, const std::string& author,
                                 Timestamp now) {
    Branch& target = Find(branch);
    const State& wanted = At(commit).state;
    if (target.head == commit && SameStanding(target.working, wanted)) {
        return;
    }
    WriteOptions options;
    options.modified_by = author;
    for (const std::string& key : KeysOf(target.working, wanted)) {
        const StoredEntry* ours = Newest(target.working, key);
        const StoredEntry* theirs = Newest(wanted, key);
        StoredEntry next;
        if (!SameStanding(ours, theirs)) {
            if (theirs != nullptr) {
                next = *theirs;
            } else {
                next.metadata.deleted = true;
                next.metadata.created_at = ours->metadata.created_at;
            }
            next.metadata =
                AdoptMetadata(ours == nullptr ? nullptr : &ours->metadata, next.metadata, options, now, {});
        } else if (VersionOf(ours) < VersionOf(theirs)) {
            next = ours == nullptr ? *theirs : *ours;
            next.metadata.version = VersionOf(theirs);
            next.metadata.comment.reset();
        } else {
            continue;
        }
        next.metadata.change = NextChange();
        next.operation = Operation::kReset;
        target.working[key].push_back(next);
    }
    target.head = commit;
}

void MemoryVersionedStore::CreateBranch(const std::string& name, CommitNumber from) {
    RequireFreeName(name);
    branches_[name] = Branch{from, At(from).state};
}

void MemoryVersionedStore::DeleteBranch(const std::string& name) {
    if (branches_.erase(name) == 0) {
        ThrowUnknown("branch " + Quoted(name));
    }
}

void MemoryVersionedStore::RenameBranch(const std::string& name, const std::string& new_name) {
    Branch branch = Find(name);
    if (name == new_name) {
        return;
    }
    RequireFreeName(new_name);
    branches_.erase(name);
    branches_[new_name] = std::move(branch);
}

void MemoryVersionedStore::CreateTag(const std::string& name, CommitNumber commit) {
    RequireFreeName(name);
    At(commit);
    tags_[name] = commit;
}

void MemoryVersionedStore::DeleteTag(const std::string& name) {
    if (tags_.erase(name) == 0) {
        ThrowUnknown("tag " + Quoted(name));
    }
}

std::vector<std::string> MemoryVersionedStore::Branches() const {
    std::vector<std::string> names;
    for (const auto& [name, branch] : branches_) {
        names.push_back(name);
    }
    return names;
}

std::vector<std::string> MemoryVersionedStore::Tags() const {
    std::vector<std::string> names;
    for (const auto& [name, commit] : tags_) {
        names.push_back(name);
    }
    return names;
}

MemoryVersionedStore::CommitNumber MemoryVersionedStore::Head(const std::string& branch) const {
    return Find(branch).head;
}

MemoryVersionedStore::CommitNumber MemoryVersionedStore::Tagged(const std::string& tag) const {
    const auto found = tags_.find(tag);
    if (found == tags_.end()) {
        ThrowUnknown("tag " + Quoted(tag));
    }
    return found->second;
}

const MemoryVersionedStore::State& MemoryVersionedStore::Working(const std::string& branch) const {
    return Find(branch).working;
}

const MemoryVersionedStore::Commit& MemoryVersionedStore::At(CommitNumber commit) const {
    if (commit >= commits_.size()) {
        ThrowUnknown("commit " + std::to_string(commit));
    }
    return commits_[commit];
}

std::vector<MemoryVersionedStore::CommitNumber> MemoryVersionedStore::Log(CommitNumber commit) const {
    std::vector<CommitNumber> log{commit};
    for (std::optional<CommitNumber> parent = At(commit).parent; parent.has_value();
         parent = At(*parent).parent) {
        log.push_back(*parent);
    }
    return log;
}

std::optional<StoredEntry> MemoryVersionedStore::Get(const State& state, const std::string& key,
                                                     Timestamp now) {
    return CopyOf(Living(state, key, now));
}

std::vector<std::pair<std::string, StoredEntry>> MemoryVersionedStore::Scan(const State& state,
                                                                            Timestamp now) {
    std::vector<std::pair<std::string, StoredEntry>> entries;
    for (const auto& [key, revisions] : state) {
        if (IsLive(revisions.back(), now)) {
            entries.emplace_back(key, revisions.back());
        }
    }
    return entries;
}

std::vector<StoredEntry> MemoryVersionedStore::History(const State& state, const std::string& key) {
    const auto found = state.find(key);
    return found == state.end() ? std::vector<StoredEntry>()
                                : std::vector<StoredEntry>(found->second.rbegin(), found->second.rend());
}

std::vector<MemoryVersionedStore::DiffEntry> MemoryVersionedStore::Diff(const State& from,
                                                                        Timestamp from_moment,
                                                                        const State& to,
                                                                        Timestamp to_moment) {
    std::vector<DiffEntry> differences;
    for (const std::string& key : KeysOf(from, to)) {
        const StoredEntry* left = Living(from, key, from_moment);
        const StoredEntry* right = Living(to, key, to_moment);
        DiffKind kind;
        if ((left == nullptr && right == nullptr) || SameStanding(Newest(from, key), Newest(to, key))) {
            continue;
        } else if (left == nullptr) {
            kind = DiffKind::kAdded;
        } else if (right == nullptr) {
            kind = DiffKind::kRemoved;
        } else if (!SamePayload(*left, *right)) {
            kind = DiffKind::kModified;
        } else {
            kind = DiffKind::kMetadata;
        }
        differences.push_back(DiffEntry{key, kind, CopyOf(left), CopyOf(right)});
    }
    return differences;
}

MemoryVersionedStore::Branch& MemoryVersionedStore::Find(const std::string& branch) {
    const auto found = branches_.find(branch);
    if (found == branches_.end()) {
        ThrowUnknown("branch " + Quoted(branch));
    }
    return found->second;
}

const MemoryVersionedStore::Branch& MemoryVersionedStore::Find(const std::string& branch) const {
    const auto found = branches_.find(branch);
    if (found == branches_.end()) {
        ThrowUnknown("branch " + Quoted(branch));
    }
    return found->second;
}

void MemoryVersionedStore::RequireFreeName(const std::string& name) const {
    if (branches_.contains(name) || tags_.contains(name)) {
        throw Error(ErrorCode::kAlreadyExists, "a branch or tag " + Quoted(name) + " exists already");
    }
}

}  // namespace kvs
