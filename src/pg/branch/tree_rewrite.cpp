#include "pg/branch/tree_rewrite.h"

#include <array>
#include <optional>
#include <string_view>

#include "kvs/codec/item.h"
#include "kvs/merge/merge_cursor.h"
#include "kvs/tree/diff.h"
#include "kvs/tree/tree.h"
#include "pg/chunk/tree_item.h"
#include "pg/read/view_diff.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"

namespace kvs::pg {

namespace {

bool IsOf(const EntryState& state, const LogId& log) {
    return DecodeMetadataHeader(state.meta).OrThrow().change.log_id == log;
}

// Changes on their way to the log, some at a time. What they hold lies in a memory context of their own.
class ChangeBatch {
  public:
    explicit ChangeBatch(Table* log) : log_(log) {
        context_ = Guarded(
            [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs log", ALLOCSET_DEFAULT_SIZES); });
    }

    // `row` gets the key and the items; no data item: deleted.
    void Add(ChangeRow row, std::string_view key, std::string_view meta,
             std::optional<std::string_view> item) {
        Guarded([&] {
            MemoryContext caller = MemoryContextSwitchTo(context_);
            row.key = MakeVarlena(key);
            row.meta = MakeVarlena(meta);
            row.item = item ? MakeVarlena(*item) : 0;
            MemoryContextSwitchTo(caller);
        });
        rows_[count_++] = row;
        bytes_ += key.size() + meta.size() + item.value_or("").size();
        if (count_ == static_cast<int>(rows_.size()) || bytes_ > kMostBytes) {
            Write();
        }
    }

    // To be called on the normal way out.
    void Finish() {
        Write();
        Guarded([&] { MemoryContextDelete(context_); });
    }

  private:
    static constexpr size_t kMostBytes = 262144;

    void Write() {
        Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            MemoryContext caller = MemoryContextSwitchTo(context_);
            AppendChanges(log_, rows_.data(), count_);
            MemoryContextSwitchTo(caller);
            MemoryContextReset(context_);
        });
        count_ = 0;
        bytes_ = 0;
    }

    Table* log_;
    MemoryContext context_;
    std::array<ChangeRow, 64> rows_;
    int count_ = 0;
    size_t bytes_ = 0;
};

}  // namespace

bool DifferMuch(ChunkStore* chunks, const TreePair& from, const TreePair& to) {
    DiffCursor diff(*chunks, from.meta_root, to.meta_root);
    int64 count = 0;
    while (count <= settings.bulk_log_threshold && diff.Next()) {
        count++;
    }
    return count > settings.bulk_log_threshold;
}

bool RewindsVersions(ChunkStore* chunks, const TreePair& from, const TreePair& to) {
    DiffCursor diff(*chunks, from.meta_root, to.meta_root);
    while (std::optional<TreeChange> change = diff.Next()) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        if (change->from && (!change->to || DecodeMetadataHeader(*change->to).OrThrow().version <=
                                                DecodeMetadataHeader(*change->from).OrThrow().version)) {
            return true;
        }
    }
    return false;
}

RewrittenTrees CarryOver(ChunkStore* chunks, const TreePair& head, const TreePair& to,
                         const TreePair& working, const std::string& author, ChangeNumbers* numbers,
                         ChangesOf changes_of) {
    EntryEdit edit(chunks, working, author, numbers);
    MergeCursor cursor(*chunks, head, working, to);
    while (cursor.Next()) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        const EntryState& ours = cursor.ours();
        const EntryState& theirs = cursor.theirs();
        const bool same = SameContent(ours, theirs);
        if (!same && !SameContent(cursor.base(), ours)) {
            if (SameContent(cursor.base(), theirs)) {
                edit.Keep(cursor.key(), ours, theirs);
            } else if (edit.out().collisions.size() < kMaxCollisions) {
                edit.out().collisions.emplace_back(cursor.key());
            }
        } else if (VersionOf(theirs) > VersionOf(ours) &&
                   (changes_of == ChangesOf::kThisOperation ? IsOf(theirs, numbers->log())
                                                            : !cursor.ours_changed())) {
            edit.Take(cursor.key(), ours, theirs);
        } else if (!same) {
            edit.Adopt(cursor.key(), ours, theirs, true);
        } else {
            edit.Keep(cursor.key(), ours, theirs);
        }
    }
    return edit.Finish();
}

RewrittenTrees SwitchTrees(ChunkStore* chunks, const TreePair& from, const TreePair& to,
                           const std::string& author, ChangeNumbers* numbers) {
    EntryEdit edit(chunks, from, author, numbers);
    MergeCursor cursor(*chunks, from, from, to);
    while (cursor.Next()) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        if (SameContent(cursor.ours(), cursor.theirs())) {
            edit.Keep(cursor.key(), cursor.ours(), cursor.theirs());
        } else {
            edit.Adopt(cursor.key(), cursor.ours(), cursor.theirs(), false);
        }
    }
    return edit.Finish();
}

TreePair RaiseVersions(ChunkStore* chunks, const TreePair& of, const TreePair& above,
                       ChangeNumbers* numbers) {
    EntryEdit edit(chunks, of, {}, numbers);
    MergeCursor cursor(*chunks, of, of, above);
    while (cursor.Next()) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        edit.Keep(cursor.key(), cursor.ours(), cursor.theirs());
    }
    return edit.Finish().roots;
}

// A change for each key whose metadata differ: its number and version are those that the rewrite has given
// it, in the metadata of `to`. prev_seq, which makes the changes of a key a chain, is the first of these that
// there is:
//   - what `previous` says: the number of an uncommitted row that lay above the trees;
//   - the number in the metadata of `from`, if that change stands in this log, or in an older one of this
//   store;
//   - 0: the chain begins here.
//
// Invariant: prev_seq is below the change's own number and of the same key, so the chain descends.
//
//     "k" had change 5 in the tree of `from` and 8 uncommitted; the rewrite gives 12: prev_seq = 8
//     "k" came with a fetched commit, from another store's log, change 77: prev_seq = 0
//
// A value that lies in a blob is written whole: the log is to be read after the blob is gone. A rewrite that
// has taken one number for all its changes is one range record, which names the two states.
void LogRewrite(int32 branch_id, Operation operation, const TreePair& from, const TreePair& to,
                const ChangeNumbers& numbers, const std::map<std::string, int64>& previous,
                Snapshot snapshot) {
    if (from == to) {
        return;
    }
    Table log = Guarded([] { return OpenChangeLogForWrite(); });
    if (numbers.is_range()) {
        const ChangeRow row{.seq = numbers.range_seq(),
                            .branch_id = branch_id,
                            .operation = operation,
                            .from = from,
                            .to = to};
        Guarded([&] { AppendChange(&log, row); });
    } else {
        ChunkStore chunks(snapshot);
        chunks.LendLeaves();
        const Tree items(chunks, to.data_root);
        ChangeBatch batch(&log);
        DiffCursor diff(chunks, from.meta_root, to.meta_root);
        while (std::optional<TreeChange> change = diff.Next()) {
            const MetadataHeader after = DecodeMetadataHeader(change->to.value_or("")).OrThrow();
            int64 prev_seq = 0;
            if (const auto found = previous.find(std::string(change->key)); found != previous.end()) {
                prev_seq = found->second;
            } else if (change->from) {
                const ChangeId before = DecodeMetadataHeader(*change->from).OrThrow().change;
                if (Guarded(
                        [&] { return before.log_id == numbers.log() || IsOwnChange(before, snapshot); })) {
                    prev_seq = static_cast<int64>(before.seq);
                }
            }
            const std::optional<FoundValue> item = items.Get(change->key);
            std::string blob;
            std::string inline_item;
            std::string_view item_bytes;
            if (item) {
                DataItem decoded = DecodeDataItem(item->value).OrThrow();
                item_bytes = item->value;
                if (decoded.blob) {
                    LoadInline(&decoded, &chunks, &blob);
                    inline_item = EncodeDataItem(decoded);
                    item_bytes = inline_item;
                }
            }
            batch.Add({.seq = static_cast<int64>(after.change.seq),
                       .prev_seq = prev_seq,
                       .version = static_cast<int64>(after.version),
                       .branch_id = branch_id,
                       .operation = operation},
                      change->key, *change->to, item ? std::optional(item_bytes) : std::nullopt);
        }
        batch.Finish();
    }
    Guarded([&] {
        Close(&log);
        CommandCounterIncrement();
    });
}

}  // namespace kvs::pg
