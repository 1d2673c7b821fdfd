#include "pg/read/key_history.h"

#include <string>
#include <utility>
#include <vector>

#include "kvs/tree/tree.h"
#include "kvs/util/quote.h"
#include "pg/chunk/tree_item.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/commit_table.h"
#include "pg/table/working_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

// Where the commits are asked, nothing tells more of a change than what it left.
Operation OperationOf(const Metadata& metadata) {
    return metadata.deleted ? Operation::kDelete : Operation::kSet;
}

}  // namespace

KeyHistory::KeyHistory(std::string_view key, std::optional<std::string_view> branch)
    : key_(key), snapshot_(GetActiveSnapshot()), chunks_(snapshot_), log_(snapshot_) {
    const bool reads_past = !branch && settings.as_of[0] != '\0';
    const ResolvedRef start = ResolveRef(reads_past ? std::string_view(settings.as_of) : "WORKING",
                                         branch.value_or(std::string_view()), snapshot_);
    if (start.is_working) {
        overlay_ = ReadableEpochs(start.branch);
    }
    start_ = start.roots;
    walk_ = start.is_working ? start.branch.head : start.commit;
}

void KeyHistory::set_snapshot(Snapshot snapshot) {
    snapshot_ = snapshot;
    chunks_.set_snapshot(snapshot);
    log_.set_snapshot(snapshot);
}

bool KeyHistory::Next() {
    if (started_) {
        return Older();
    }
    started_ = true;
    State state;
    return ReadStart(&state) && FromState(std::move(state));
}

std::string_view KeyHistory::LoadPayload() {
    return PayloadOf(*item_, &chunks_, &blob_);
}

// What the key holds, or held when it was deleted; false if it was never written.
bool KeyHistory::ReadStart(State* state) {
    if (overlay_.count != 0) {
        WorkingRow row;
        const bool found = Guarded([&] {
            Table working = OpenWorkingForRead();
            const bool hit = FindWorking(&working, snapshot_, overlay_, MakeVarlena(key_),
                                         kWorkingItem | kWorkingMeta, &row);
            Close(&working);
            return hit;
        });
        if (found) {
            state->metadata = DecodeMetadata(Contents(row.meta)).OrThrow();
            if (row.item != nullptr) {
                state->item = Contents(row.item);
            }
            return true;
        }
    }
    return FindState(start_, state);
}

bool KeyHistory::FindState(const TreePair& roots, State* state) {
    const std::optional<FoundValue> meta = Tree(chunks_, roots.meta_root).Get(key_);
    if (!meta) {
        return false;
    }
    state->metadata = DecodeMetadata(meta->value).OrThrow();
    state->item.reset();
    if (const std::optional<FoundValue> item = Tree(chunks_, roots.data_root).Get(key_)) {
        state->item = item->value;
    }
    return true;
}

// Makes `state` the current revision.
void KeyHistory::Enter(Operation operation, const std::optional<TraceContext>& trace, State state) {
    current_ = std::move(state);
    operation_ = operation;
    trace_ = trace;
    item_.reset();
    if (current_.item) {
        item_ = DecodeDataItem(*current_.item).OrThrow();
    }
    previous_seq_ = 0;
    before_range_.reset();
    is_removed_ = false;
}

// Of a change of this log that is not there: whether that is because it was removed.
void KeyHistory::NoteMissing(uint64_t seq) {
    is_removed_ = is_removed_ || Guarded([&] { return static_cast<int64>(seq) < LowestKeptChange(); });
}

// The revision that left `state`: from the log if it holds the change, else as the state tells.
bool KeyHistory::FromState(State state) {
    const ChangeId change = state.metadata.change;
    const bool is_own = Guarded([&] { return IsOwnChange(change, snapshot_); });
    if (is_own && FromLog(change.seq)) {
        return true;
    }
    const Operation operation = OperationOf(state.metadata);
    Enter(operation, std::nullopt, std::move(state));
    if (is_own) {
        NoteMissing(change.seq);
    }
    return true;
}

bool KeyHistory::FromLog(uint64_t seq) {
    ChangeRow change;
    const bool found = Guarded([&] {
        const bool is_there = log_.Read(static_cast<int64>(seq), &change);
        log_.Close();
        return is_there;
    });
    if (!found) {
        return false;
    }
    if (change.IsRange()) {
        return FromRange(change);
    }
    if (Contents(DatumGetPointer(change.key)) != key_) {
        throw Damaged("the history of key " + Quoted(key_) + " leads to change " + std::to_string(seq) +
                      ", which is of another key");
    }
    State state;
    state.metadata = DecodeMetadata(Contents(DatumGetPointer(change.meta))).OrThrow();
    if (change.item != 0) {
        state.item = Contents(DatumGetPointer(change.item));
    }
    Guarded([&] {
        pfree(DatumGetPointer(change.key));
        pfree(DatumGetPointer(change.meta));
        if (change.item != 0) {
            pfree(DatumGetPointer(change.item));
        }
    });
    Enter(change.operation, change.trace, std::move(state));
    previous_seq_ = static_cast<uint64_t>(change.prev_seq);
    return true;
}

bool KeyHistory::FromRange(const ChangeRow& change) {
    State state;
    if (!FindState(change.to, &state) || state.metadata.change.seq != static_cast<uint64_t>(change.seq)) {
        return false;
    }
    Enter(change.operation, change.trace, std::move(state));
    before_range_ = change.from;
    return true;
}

// The step to the next older revision. Three places may know it, and are asked in this order:
//
// 1. the log, if the current change names the key's change before it;
// 2. the trees before the range record, if the current change is one: of an import, a merge or a reset with
// many
//    keys the log holds a single row;
// 3. the commits of the branch, where the log does not reach: it was trimmed, or the change was made in
// another
//    store.
//
//     versions     1      2      3        4      5        4 and 5 are followed along the log, which is kept
//     from 4 commits      A(1)          B(3)                     on; then B gives 3 and A gives 1; nobody
//     knows 2 any more
//
// Invariant: versions fall with every step. A chain in which they do not is damaged, and would go round for
// ever.
bool KeyHistory::Older() {
    const uint64_t version = current_.metadata.version;
    follows_gap_ = false;
    if (version <= 1) {
        return false;
    }
    const bool in_log = previous_seq_ != 0 && FromLog(previous_seq_);
    if (!in_log && previous_seq_ != 0) {
        NoteMissing(previous_seq_);
    }
    follows_gap_ = is_removed_ && !in_log;
    State state;
    const bool found = in_log ||
                       (before_range_ && FindState(*before_range_, &state) && FromState(std::move(state))) ||
                       FromCommits(version);
    if (found && current_.metadata.version >= version) {
        throw Damaged("history of key " + Quoted(key_) + " is broken at version " + std::to_string(version));
    }
    return found;
}

// Walks down the commits to the first whose state of the key is older than version `below`. `walk_` is where
// the walk has come to, across calls: a history never goes back to a commit that it has left. It began at a
// commit that the snapshot shows, or at the head of a branch whose row it shows.
bool KeyHistory::FromCommits(uint64_t below) {
    while (walk_) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        const CommitRef commit = ReadAncestor(*walk_, snapshot_);
        State state;
        if (!FindState({commit->data_root, commit->meta_root}, &state)) {
            walk_.reset();
        } else if (state.metadata.version < below) {
            return FromState(std::move(state));
        } else if (!StepDown(*commit, state.metadata)) {
            walk_.reset();
        }
    }
    return false;
}

// From a commit that holds the state `at` to the parent that it came from, which holds the same change. If no
// parent does, the commit itself made the state, as a merge that joined two documents: then to the first
// parent that knows an older version of the key.
bool KeyHistory::StepDown(const Commit& commit, const Metadata& at) {
    if (commit.parents.size() == 1) {
        walk_ = commit.parents[0];
        return true;
    }
    std::optional<Hash> older;
    for (const Hash& parent : commit.parents) {
        const CommitRef read = ReadAncestor(parent, snapshot_);
        State state;
        if (!FindState({read->data_root, read->meta_root}, &state)) {
            continue;
        }
        if (state.metadata.change == at.change) {
            walk_ = parent;
            return true;
        }
        if (!older && state.metadata.version < at.version) {
            older = parent;
        }
    }
    walk_ = older;
    return older.has_value();
}

}  // namespace kvs::pg
