// What a reading operation looks at: a pair of trees, perhaps overlaid by a branch's working rows, all under
// one snapshot.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/codec/item.h"
#include "kvs/entry.h"
#include "kvs/node_store.h"
#include "kvs/version/commit.h"
#include "pg/chunk/chunk_store.h"
#include "pg/chunk/tree_item.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/branch_table.h"
#include "pg/table/working_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct ReadView {
    Snapshot snapshot;  // of the statement; active as long as it runs
    Epochs overlay;     // of the working rows that lie on top; none: a commit is read
    TreePair roots;
    Timestamp now;  // the moment at which expiry is judged

    bool IsLive() const { return overlay.count != 0; }
};

// The view that (branch, as_of) arguments of a function mean. No branch: the session's; no as_of: live,
// unless the session reads the past (kvs.as_of) and no branch was given. Errors: kUnknownRef.
ReadView OpenReadView(std::optional<std::string_view> branch, std::optional<std::string_view> as_of);

// The state a ref means.
ReadView ViewOf(const ResolvedRef& ref, Snapshot snapshot);

// The two states of a branch whose difference is its uncommitted work.
ReadView HeadView(const Branch& branch, Snapshot snapshot);
ReadView WorkingView(const Branch& branch, Snapshot snapshot);

// The two states whose difference is what a commit changed; the empty trees if it has no parent.
ReadView FirstParentView(const Commit& commit, Snapshot snapshot);
ReadView CommitView(const Commit& commit, Snapshot snapshot);

// Bytes found in a working row (a copy in the memory context current at the look-up) or in a leaf (kept alive
// here).
struct FoundBytes {
    std::string_view bytes;
    NodeRef leaf;
};

// What the look-up of one key found.
struct FoundEntry {
    DataItem item;    // its payload may lie in a blob
    NodeRef leaf;     // keeps the item alive if a tree holds it
    FoundBytes meta;  // encoded metadata; empty unless asked for
};

// An entry as it is encoded, copied.
struct EncodedEntry {
    std::string item;
    std::string meta;
};

// Point look-ups in a view.
class EntryReader {
  public:
    explicit EntryReader(const ReadView& view) : view_(view), chunks_(view.snapshot) {}

    // The living entry at `key` (a detoasted text or bytea), nullopt if it is absent, deleted or expired.
    std::optional<FoundEntry> Find(Datum key, bool with_meta);

    // The encoded metadata of what is at `key`, be it a tombstone; nullopt: it was never written.
    std::optional<std::string> FindMetadata(Datum key);

    // The living entries at the first of `keys`, in their order: as many as fit some MB. The keys are looked
    // up in key order, so that each node of the trees is read once.
    std::vector<std::optional<EncodedEntry>> FindMany(std::span<const Datum> keys);

    // The payload of an item that was found, wherever it lies; a blob's is valid until the next call.
    std::string_view LoadPayload(const DataItem& item) { return PayloadOf(item, &chunks_, &blob_); }

    ChunkStore& chunks() { return chunks_; }

    // For readers that outlive one call: the snapshot of the call that runs.
    void set_snapshot(Snapshot snapshot) {
        view_.snapshot = snapshot;
        chunks_.set_snapshot(snapshot);
    }

  private:
    bool FindRow(Datum key, int columns, WorkingRow* row);

    ReadView view_;
    ChunkStore chunks_;
    std::string blob_;
};

}  // namespace kvs::pg
