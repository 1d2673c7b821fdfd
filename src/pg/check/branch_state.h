// What the trees of a branch hold, read beside its changes in the order of keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kvs/tree/cursor.h"
#include "kvs/tree/diff.h"
#include "kvs/tree/tree_pair.h"
#include "pg/chunk/chunk_store.h"

namespace kvs::pg {

class BranchState {
  public:
    // `now`: the working roots. `base`: a state of the branch from which on all its changes are known;
    // nullopt if there is none. The trees are whole.
    BranchState(ChunkStore* chunks, const TreePair& now, const std::optional<TreePair>& base);

    // Of the entry of a key: 0 if there is none.
    struct Entry {
        uint64_t version = 0;
        uint64_t metadata = 0;  // fingerprints
        uint64_t item = 0;
    };

    // Keys have to be asked for in ascending order.
    Entry Read(std::string_view key);

    // The next key that differs from the base, and is before `before` if that is given; nullopt if there is
    // none. Valid until the next call of this.
    std::optional<std::string_view> NextChanged(const std::optional<std::string_view>& before);

  private:
    // The changes of one of the trees since the base.
    struct Changes {
        Changes(ChunkStore* chunks, const Hash& from, const Hash& to) : cursor(*chunks, from, to) {}

        DiffCursor cursor;
        std::optional<TreeChange> next;
        bool is_open = false;
        void Step() {
            next = cursor.Next();
            is_open = true;
        }
    };

    Cursor data_;
    Cursor metadata_;
    std::optional<Changes> data_changes_;
    std::optional<Changes> metadata_changes_;
    std::string changed_;
};

}  // namespace kvs::pg
