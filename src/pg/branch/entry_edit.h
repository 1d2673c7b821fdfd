// Editing the entries of a branch's state for the operations that put one state on top of another.
//
// Versions never rewind: a key whose content changes gets a version above ours', or that of theirs where it
// continues ours'. And no commit has a lower version of a key than one of its parents, nor the same one with
// another content: for that alone a key may get a new version and keep its content.
//
// Each new version has the session's origin, and each that is taken as it is keeps its own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/codec/item.h"
#include "kvs/entry.h"
#include "kvs/merge/document_merge.h"
#include "kvs/merge/merge_cursor.h"
#include "kvs/tree/editor.h"
#include "kvs/tree/tree.h"
#include "pg/chunk/chunk_store.h"
#include "pg/table/change_numbers.h"

namespace kvs::pg {

// Whether a reader would see no difference. A key never written and a tombstone are the same.
bool SameContent(const EntryState& a, const EntryState& b);

// 0 for a key that was never written.
uint64_t VersionOf(const EntryState& state);

struct KeyConflict {
    std::string key;
    MergeConflict conflict;
};

struct RewrittenTrees {
    TreePair roots;
    int64 changed = 0;                      // keys whose content is not that of `ours`
    std::vector<KeyConflict> conflicts;     // of MergeTrees; in the order of keys and paths
    std::vector<std::string> collisions;    // of CarryOver; at most kMaxCollisions
    std::map<std::string, int64> previous;  // the change before, where it is theirs' and not ours'
};

// The entries of a state, data and metadata, as an operation edits them in key order.
class EntryEdit {
  public:
    // The trees of `ours`. Versions come out above those of the state `above`, too.
    EntryEdit(ChunkStore* chunks, const TreePair& ours, std::string author, ChangeNumbers* numbers,
              const std::optional<TreePair>& above = std::nullopt);

    Timestamp now() const { return now_; }
    const std::string& author() const { return author_; }
    const std::optional<std::string>& origin() const { return origin_; }
    ChangeId NextChange() { return numbers_->Next(); }

    // Theirs as it is: for keys whose versions theirs continues.
    void Take(std::string_view key, const EntryState& ours, const EntryState& theirs);

    // The same for all keys of a range, in which ours is as the base.
    void TakeRange(const TreePair& base, const TreePair& theirs, const KeyRange& range);

    // The content of ours, in a version that is not below theirs', and above it if theirs has another
    // content. A key that ours never had becomes a deleted one.
    void Keep(std::string_view key, const EntryState& ours, const EntryState& theirs);

    // The content of theirs as a new version of ours. `authored`: who wrote it, and when, comes along.
    void Adopt(std::string_view key, const EntryState& ours, const EntryState& theirs, bool authored);

    // Content that is neither side's.
    void Write(std::string_view key, const Metadata& metadata, const std::optional<DataItem>& item);

    // A key whose history goes on with theirs, unless it has one of its own above.
    void Follow(std::string_view key, const EntryState& ours, const EntryState& theirs);

    RewrittenTrees& out() { return out_; }
    RewrittenTrees Finish();

  private:
    bool IsHidden(std::string_view key, const EntryState& ours) const;
    void PutNext(std::string_view key, Metadata next);
    void PutItem(std::string_view key, std::optional<std::string_view> item);

    ChunkStore* chunks_;
    TreeEditor data_;
    TreeEditor meta_;
    std::optional<Tree> above_;
    std::string author_;
    std::optional<std::string> origin_;
    ChangeNumbers* numbers_;
    Timestamp now_;
    RewrittenTrees out_;
};

}  // namespace kvs::pg
