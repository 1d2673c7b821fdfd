#include "kvs/local/memory_versioned_store.h"

#include <set>

#include "kvs/entry/metadata_service.h"
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

// What a commit holds of a key: its newest revision unless that is a tombstone.
const StoredEntry* Present(const State& state, const std::string& key) {
    const StoredEntry* newest = Newest(state, key);
    return newest == nullptr || newest->metadata.deleted ? nullptr : newest;
}

bool SamePayload(const StoredEntry& left, const StoredEntry& right) {
    return left.value.type == right.value.type && left.value.payload == right.value.payload;
}

bool SameContent(const StoredEntry& left, const StoredEntry& right) {
    return left.value == right.value && left.metadata.tags == right.metadata.tags &&
           left.metadata.schema_hash == right.metadata.schema_hash;
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

StoredEntry DeletedBy(Operation operation, Metadata metadata) {
    return StoredEntry{Value{}, std::move(metadata), Hash{}, operation};
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
    State& working = Find(branch).working;
    const Previous previous = PreviousOf(Newest(working, key), now);
    CheckExpectedVersion(previous, options.expected_version, key);
    StoredEntry entry{value, StandardMetadataService().Next(previous, options, now, NextChange()),
                      LocalHashingService().CalculateDataHash(value), Operation::kSet};
    working[key].push_back(entry);
    return entry;
}

StoredEntry MemoryVersionedStore::Patch(const std::string& branch, const std::string& key,
                                        std::string_view delta, const WriteOptions& options, Timestamp now) {
    State& working = Find(branch).working;
    const StoredEntry* current = Newest(working, key);
    const Previous previous = PreviousOf(current, now);
    CheckExpectedVersion(previous, options.expected_version, key);
    const Value value = LocalPatchService().Apply(previous.Exists() ? &current->value : nullptr, delta);
    StoredEntry entry{value, StandardMetadataService().Next(previous, options, now, NextChange()),
                      LocalHashingService().CalculateDataHash(value), Operation::kPatch};
    working[key].push_back(entry);
    return entry;
}

bool MemoryVersionedStore::Delete(const std::string& branch, const std::string& key,
                                  const WriteOptions& options, Timestamp now) {
    State& working = Find(branch).working;
    const Previous previous = PreviousOf(Newest(working, key), now);
    CheckExpectedVersion(previous, options.expected_version, key);
    if (!previous.Exists()) {
        return false;
    }
    working[key].push_back(
        DeletedBy(Operation::kDelete,
                  StandardMetadataService().Tombstone(*previous.metadata(), options, now, NextChange())));
    return true;
}

std::optional<MemoryVersionedStore::CommitNumber> MemoryVersionedStore::MakeCommit(const std::string& branch,
                                                                                   const std::string& message,
                                                                                   const std::string& author,
                                                                                   Timestamp now) {
    Branch& target = Find(branch);
    if (Diff(At(target.head).state, target.working).empty()) {
        return std::nullopt;
    }
    commits_.push_back(Commit{target.head, target.working, message, author, now});
    target.head = commits_.size() - 1;
    return target.head;
}

void MemoryVersionedStore::Reset(const std::string& branch, CommitNumber commit, Timestamp now) {
    const State& wanted = At(commit).state;
    Branch& target = Find(branch);
    const StandardMetadataService metadata;
    for (const DiffEntry& difference : Diff(target.working, wanted)) {
        const StoredEntry* current = Newest(target.working, difference.key);
        const StoredEntry* incoming = Newest(wanted, difference.key);
        StoredEntry next;
        if (incoming != nullptr) {
            next = *incoming;
            next.metadata = metadata.Adopt(current == nullptr ? nullptr : &current->metadata,
                                           incoming->metadata, {}, now, NextChange());
        } else {
            next.metadata = metadata.Tombstone(current->metadata, {}, now, NextChange());
        }
        next.operation = Operation::kReset;
        target.working[difference.key].push_back(next);
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
    const StoredEntry* entry = Newest(state, key);
    return entry != nullptr && IsLive(*entry, now) ? std::optional(*entry) : std::nullopt;
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

std::vector<MemoryVersionedStore::DiffEntry> MemoryVersionedStore::Diff(const State& from, const State& to) {
    std::vector<DiffEntry> differences;
    for (const std::string& key : KeysOf(from, to)) {
        const StoredEntry* left = Present(from, key);
        const StoredEntry* right = Present(to, key);
        DiffKind kind;
        if (left == nullptr && right == nullptr) {
            continue;
        } else if (left == nullptr) {
            kind = DiffKind::kAdded;
        } else if (right == nullptr) {
            kind = DiffKind::kRemoved;
        } else if (!SamePayload(*left, *right)) {
            kind = DiffKind::kModified;
        } else if (!SameContent(*left, *right)) {
            kind = DiffKind::kMetadata;
        } else {
            continue;
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
