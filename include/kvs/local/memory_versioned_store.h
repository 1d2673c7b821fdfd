// Version control over a key-value store in its most naive form: the oracle of the model tests.
//
// A state is a map, a commit is a full copy of one, a diff compares two of them key by key. Slow and large
// on purpose: there is nothing here that could be wrong in an interesting way. The time is an argument, so
// that the same calls always give the same store. A store is a value: to take a savepoint copy it, to roll
// back assign the copy.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvs/local/core_storage.h"

namespace kvs {

// Not thread-safe. Branches and tags share one name space; unknown names throw Error(kUnknownRef), taken ones
// Error(kAlreadyExists). Keys and names are taken as they are.
class MemoryVersionedStore {
  public:
    // The revisions of each key ever written, oldest first, never empty; the last one is the key's entry,
    // which may be a tombstone.
    using State = std::map<std::string, std::vector<StoredEntry>>;

    // Commits are numbered in the order in which they were made; 0 is the initial commit, of nothing.
    using CommitNumber = size_t;

    struct Commit {
        std::optional<CommitNumber> parent;  // absent: the initial commit
        State state;
        std::string message;
        std::string author;
        Timestamp committed_at = 0;
    };

    enum class DiffKind {
        kAdded,
        kModified,
        kRemoved,
        kMetadata
    };  // kMetadata: only expiry, tags or schema differ

    struct DiffEntry {
        std::string key;
        DiffKind kind;
        std::optional<StoredEntry> from;  // absent: added
        std::optional<StoredEntry> to;    // absent: removed
    };

    MemoryVersionedStore();  // one branch, main, at the initial commit

    // Writes to a branch's working state. Each throws Error(kStaleVersion) when
    // options.expected_version does not match.
    StoredEntry Put(const std::string& branch, const std::string& key, const Value& value,
                    const WriteOptions& options, Timestamp now);
    StoredEntry Patch(const std::string& branch, const std::string& key, std::string_view delta,
                      const WriteOptions& options, Timestamp now);
    bool Delete(const std::string& branch, const std::string& key, const WriteOptions& options,
                Timestamp now);
    // Replaces the value if the key is at options.expected_version; false, and nothing is thrown, if it is
    // not.
    bool Cas(const std::string& branch, const std::string& key, const Value& value,
             const WriteOptions& options, Timestamp now);
    // Gives a living entry another end; false if there is none.
    bool Touch(const std::string& branch, const std::string& key, std::optional<Timestamp> expires_at,
               const WriteOptions& options, Timestamp now);

    // nullopt when the branch's content is that of its head; versions and comments are not content.
    std::optional<CommitNumber> MakeCommit(const std::string& branch, const std::string& message,
                                           const std::string& author, Timestamp now);

    // Moves the head, and gives the working state the content of that commit. A key whose content differs
    // takes a new revision, by `author` and of a version above both; one whose content is the same, but whose
    // version is below the commit's, takes a revision of that version. The history of a key that was never
    // written here begins with that revision. Nothing happens where head and content are those of the commit
    // already.
    void Reset(const std::string& branch, CommitNumber commit, const std::string& author, Timestamp now);

    void CreateBranch(const std::string& name, CommitNumber from);
    void DeleteBranch(const std::string& name);
    void RenameBranch(const std::string& name, const std::string& new_name);
    void CreateTag(const std::string& name, CommitNumber commit);
    void DeleteTag(const std::string& name);

    std::vector<std::string> Branches() const;
    std::vector<std::string> Tags() const;
    CommitNumber Head(const std::string& branch) const;
    CommitNumber Tagged(const std::string& tag) const;
    const State& Working(const std::string& branch) const;
    const Commit& At(CommitNumber commit) const;  // Error(kUnknownRef) if there is none

    // From a commit to the initial one, through the parents.
    std::vector<CommitNumber> Log(CommitNumber commit) const;

    // Reads of any state. `now` judges expiry: the present for a working state, committed_at for a commit.
    static std::optional<StoredEntry> Get(const State& state, const std::string& key, Timestamp now);
    static std::vector<std::pair<std::string, StoredEntry>> Scan(const State& state, Timestamp now);
    static std::vector<StoredEntry> History(const State& state, const std::string& key);  // newest first

    // In key order. Expiry is judged on each side at its own moment, as for reads; but an entry that nobody
    // has touched is no difference, though its time may have come in between.
    static std::vector<DiffEntry> Diff(const State& from, Timestamp from_moment, const State& to,
                                       Timestamp to_moment);

  private:
    struct Branch {
        CommitNumber head = 0;
        State working;
    };

    // nullopt when it was decided to change nothing.
    std::optional<StoredEntry> Write(const std::string& branch, const std::string& key,
                                     const WriteRequest& request, Timestamp now,
                                     const std::function<Value(const Value* current)>& new_value);
    Branch& Find(const std::string& branch);
    const Branch& Find(const std::string& branch) const;
    void RequireFreeName(const std::string& name) const;
    ChangeId NextChange() { return ChangeId{{}, ++last_seq_}; }

    std::vector<Commit> commits_;
    std::map<std::string, Branch> branches_;
    std::map<std::string, CommitNumber> tags_;
    uint64_t last_seq_ = 0;
};

}  // namespace kvs
