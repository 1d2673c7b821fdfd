#include "pg/tree_rewrite.h"

#include <utility>

#include "kvs/codec/item.h"
#include "kvs/error.h"
#include "kvs/merge/entry_merge.h"
#include "kvs/merge/merge_cursor.h"
#include "kvs/store/metadata_service.h"
#include "kvs/tree/diff.h"
#include "kvs/tree/editor.h"
#include "kvs/tree/tree.h"
#include "kvs/util/quote.h"
#include "pg/convert.h"
#include "pg/guard.h"
#include "pg/jsonb_json.h"
#include "pg/read_view.h"
#include "pg/settings.h"
#include "pg/tree_item.h"
#include "pg/view_diff.h"

namespace kvs::pg {

namespace {

class JsonbCodec final : public DocumentCodec {
  public:
    Json Decode(std::string_view payload) override { return JsonFromJsonb(payload); }

    std::string Encode(const Json& document) override {
        const Datum jsonb = JsonbFromJson(document);
        std::string payload(Contents(DatumGetPointer(jsonb)));
        Guarded([&] { pfree(DatumGetPointer(jsonb)); });
        return payload;
    }
};

// Whether a reader would see no difference. A key never written and a tombstone are the same.
bool SameContent(const EntryState& a, const EntryState& b) {
    return a.item == b.item && (!a.item || SameTagsAndSchema(a.meta, b.meta));
}

uint64_t VersionOf(const EntryState& state) {
    return state.written() ? DecodeMetadataHeader(state.meta).OrThrow().version : 0;
}

bool IsOf(const EntryState& state, const LogId& log) {
    return DecodeMetadataHeader(state.meta).OrThrow().change.log_id == log;
}

// So many keys of theirs in a range that ours left alone are put in one by one before the rest of the range
// is taken over: a take-over costs a few nodes at both ends.
constexpr uint64_t kSingleKeys = 32;

// The trees of `ours`, as they are edited.
class Edit {
  public:
    Edit(ChunkStore* chunks, const RootPair& ours, std::string author, ChangeNumbers* numbers,
         const std::optional<RootPair>& above = std::nullopt)
        : chunks_(chunks),
          data_(*chunks, ours.data_root),
          meta_(*chunks, ours.meta_root),
          author_(std::move(author)),
          numbers_(numbers),
          now_(FromServerTime(GetCurrentTimestamp())) {
        if (above) {
            above_.emplace(*chunks, above->meta_root);
        }
    }

    Timestamp now() const { return now_; }

    // Theirs as it is: for keys whose versions theirs continues.
    void Take(std::string_view key, const EntryState& ours, const EntryState& theirs) {
        if (!theirs.written()) {
            meta_.Delete(key);
        } else {
            meta_.Put(key, theirs.meta);
        }
        PutItem(key, theirs.item);
        out_.changed += ours.item == theirs.item ? 0 : 1;
    }

    // The same for all keys of a range, in which ours is as the base.
    void TakeRange(const RootPair& base, const RootPair& theirs, const KeyRange& range) {
        data_.Splice(theirs.data_root, range);
        meta_.Splice(theirs.meta_root, range);
        out_.changed +=
            static_cast<int64>(DiffCursor(*chunks_, base.data_root, theirs.data_root, range).CountRest());
    }

    // The content of ours, in a version that is not below theirs', and above it if theirs has another
    // content. A key that ours never had becomes a deleted one.
    void Keep(std::string_view key, const EntryState& ours, const EntryState& theirs) {
        const uint64_t lowest = VersionOf(theirs) + (SameContent(ours, theirs) ? 0 : 1);
        if (VersionOf(ours) >= lowest) {
            return;
        }
        Metadata next = DecodeMetadata(ours.written() ? ours.meta : theirs.meta).OrThrow();
        next.deleted = !ours.item;
        next.version = lowest;
        next.change = IsHidden(key, ours) ? unlogged_.Next() : numbers_->Next();
        next.comment.reset();
        PutNext(key, next);
    }

    // The content of theirs as a new version of ours. `authored`: who wrote it, and when, comes along.
    void Adopt(std::string_view key, const EntryState& ours, const EntryState& theirs, bool authored) {
        std::optional<Metadata> current;
        if (ours.written()) {
            current = DecodeMetadata(ours.meta).OrThrow();
        }
        Metadata incoming;
        if (theirs.written()) {
            incoming = DecodeMetadata(theirs.meta).OrThrow();
        } else {
            incoming.created_at = current->created_at;
        }
        incoming.deleted = !theirs.item.has_value();
        WriteOptions options;
        options.modified_by = authored ? incoming.modified_by : author_;
        Metadata next =
            rules_.Adopt(current ? &*current : nullptr, incoming, options, now_, numbers_->Next());
        if (authored) {
            next.updated_at = incoming.updated_at;
        }
        PutNext(key, next);
        PutItem(key, theirs.item);
        out_.changed++;
    }

    // Content that is neither side's.
    void Write(std::string_view key, const Metadata& metadata, const std::optional<DataItem>& item) {
        PutNext(key, metadata);
        if (item) {
            data_.Put(key, ToTreeItem(EncodeDataItem(*item), chunks_));
        } else {
            data_.Delete(key);
        }
        out_.changed++;
    }

    // A key whose history goes on with theirs, unless it has one of its own above.
    void Follow(std::string_view key, const EntryState& ours, const EntryState& theirs) {
        if (numbers_->is_range() || !theirs.written()) {
            return;
        }
        if (const std::optional<FoundValue> found = above_ ? above_->Get(key) : std::nullopt) {
            if (!ours.written() || found->value != ours.meta) {
                return;
            }
        }
        const MetadataHeader header = DecodeMetadataHeader(theirs.meta).OrThrow();
        if (header.change.log_id == numbers_->log()) {
            out_.previous.emplace(key, static_cast<int64>(header.change.seq));
        }
    }

    ChangeId NextChange() { return numbers_->Next(); }
    const std::string& author() const { return author_; }
    RewrittenTrees& out() { return out_; }

    RewrittenTrees Finish() {
        out_.roots = {data_.Finish(), meta_.Finish()};
        chunks_->Flush();
        return std::move(out_);
    }

  private:
    // Whether the working state above has a key of its own there, so that the log will not hold what the edit
    // makes of it.
    bool IsHidden(std::string_view key, const EntryState& ours) const {
        const std::optional<FoundValue> found = above_ ? above_->Get(key) : std::nullopt;
        return found && found->value != ours.meta;
    }

    void PutNext(std::string_view key, Metadata next) {
        if (const std::optional<FoundValue> found = above_ ? above_->Get(key) : std::nullopt) {
            next.version = std::max(next.version, DecodeMetadataHeader(found->value).OrThrow().version + 1);
        }
        meta_.Put(key, EncodeMetadata(next));
    }

    void PutItem(std::string_view key, std::optional<std::string_view> item) {
        if (item) {
            data_.Put(key, *item);
        } else {
            data_.Delete(key);
        }
    }

    ChunkStore* chunks_;
    TreeEditor data_;
    TreeEditor meta_;
    std::optional<Tree> above_;
    std::string author_;
    ChangeNumbers* numbers_;
    ChangeNumbers unlogged_ = ChangeNumbers::Unlogged();
    Timestamp now_;
    StandardMetadataService rules_;
    RewrittenTrees out_;
};

// One side of a key as the core's merge takes it; owns what it decodes.
struct LoadedSide {
    LoadedSide(const EntryState& state, ChunkStore* chunks) {
        if (state.written()) {
            side.metadata = DecodeMetadata(state.meta).OrThrow();
        }
        if (state.item) {
            side.item = DecodeDataItem(*state.item).OrThrow();
            side.item->payload = kvs::pg::LoadPayload(*state.item, chunks, &blob);
            side.item->blob.reset();
        }
    }

    EntrySide side;
    std::string blob;
};

// A key that both sides changed.
class KeyMerge {
  public:
    KeyMerge(const MergeCursor& cursor, ChunkStore* chunks)
        : key_(cursor.key()),
          base_(cursor.base(), chunks),
          ours_(cursor.ours(), chunks),
          theirs_(cursor.theirs(), chunks) {}

    // What is left of the conflicts is appended to `conflicts`.
    MergedEntry Run(const MergePolicies& policies, const KeyResolver& resolve,
                    std::vector<KeyConflict>* conflicts) {
        JsonbCodec codec;
        Resolver resolver;
        if (resolve) {
            resolver = [&](const MergeConflict& conflict) { return resolve(key_, conflict); };
        }
        MergedEntry merged =
            MergeEntry(base_.side, ours_.side, theirs_.side, policies.For(key_), codec, resolver);
        for (MergeConflict& conflict : merged.conflicts) {
            conflicts->push_back({std::string(key_), std::move(conflict)});
        }
        return merged;
    }

    // The metadata of content that is neither side's, but for what the merge itself decides.
    Metadata NextMetadata() const {
        const std::optional<Metadata>& ours = ours_.side.metadata;
        const std::optional<Metadata>& theirs = theirs_.side.metadata;
        Metadata next = (ours ? ours : theirs).value_or(Metadata{});
        next.version = std::max(ours ? ours->version : 0, theirs ? theirs->version : 0) + 1;
        next.comment.reset();
        return next;
    }

  private:
    std::string_view key_;
    LoadedSide base_;
    LoadedSide ours_;
    LoadedSide theirs_;
};

void MergeKey(const MergeCursor& cursor, ChunkStore* chunks, const MergeRules& rules, Edit* edit) {
    const std::string_view key = cursor.key();
    KeyMerge merge(cursor, chunks);
    const MergedEntry merged = merge.Run(rules.policies, rules.resolve, &edit->out().conflicts);
    switch (merged.outcome) {
        case MergedEntry::Outcome::kTheirs:
            if (!SameContent(cursor.ours(), cursor.theirs())) {
                edit->Adopt(key, cursor.ours(), cursor.theirs(), rules.keeps_authors);
                return;
            }
            [[fallthrough]];
        case MergedEntry::Outcome::kOurs:
            if (rules.continues_base) {
                edit->Keep(key, cursor.ours(), cursor.theirs());
            }
            return;
        case MergedEntry::Outcome::kMerged:
            break;
    }
    Metadata next = merge.NextMetadata();
    const std::optional<DataItem> item = merged.item();
    if (item && item->payload.size() > kMaxValueSize) {
        throw Error(ErrorCode::kLimitExceeded,
                    "the merge of key " + Quoted(key) + " makes a value of " +
                        std::to_string(item->payload.size()) + " bytes, which is too large",
                    "A value may have at most " + std::to_string(kMaxValueSize) +
                        " bytes. Make the value of one side smaller, commit that, and merge again.");
    }
    next.deleted = !item;
    next.updated_at = edit->now();
    next.change = edit->NextChange();
    next.modified_by = edit->author();
    next.tags = merged.tags;
    next.schema_hash = merged.schema_hash;
    edit->Write(key, next, item);
}

bool IsLong(const MergeCursor::OneSidedRange& range) {
    return range.passed >= kSingleKeys;
}

// Behind the one-sided range that the cursor's key lies in; false if nothing is left there.
bool SkipRange(MergeCursor* cursor) {
    const std::optional<std::string> end = cursor->one_sided_range().keys.end;
    if (end) {
        cursor->SkipTo(*end);
    }
    return end.has_value();
}

// Takes over what theirs alone changed: the cursor's key, or all that is left of the range that it lies in.
// false if nothing is left behind that.
bool TakeOver(MergeCursor* cursor, const RootPair& base, const RootPair& theirs, Edit* edit) {
    const MergeCursor::OneSidedRange& range = cursor->one_sided_range();
    if (!IsLong(range)) {
        edit->Take(cursor->key(), cursor->ours(), cursor->theirs());
        return true;
    }
    edit->TakeRange(base, theirs, {std::string(cursor->key()), range.keys.end});
    return SkipRange(cursor);
}

}  // namespace

ChangeNumbers::ChangeNumbers(bool one_for_all) : is_range_(one_for_all) {
    Guarded([&] {
        log_ = CurrentLog();
        if (is_range_) {
            range_seq_ = NextChangeSeq();
        }
    });
}

ChangeNumbers ChangeNumbers::Unlogged() {
    ChangeNumbers numbers;
    numbers.unlogged_seq_ = 0;
    Guarded([&] {
        if (!pg_strong_random(numbers.log_.data(), numbers.log_.size())) {
            ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values"));
        }
    });
    return numbers;
}

ChangeId ChangeNumbers::Next() {
    if (unlogged_seq_ >= 0) {
        return {log_, static_cast<uint64_t>(++unlogged_seq_)};
    }
    const int64 seq = is_range_ ? range_seq_ : Guarded([] { return NextChangeSeq(); });
    return {log_, static_cast<uint64_t>(seq)};
}

bool DifferMuch(ChunkStore* chunks, const RootPair& from, const RootPair& to) {
    DiffCursor diff(*chunks, from.meta_root, to.meta_root);
    int64 count = 0;
    while (count <= settings.bulk_log_threshold && diff.Next()) {
        count++;
    }
    return count > settings.bulk_log_threshold;
}

RewrittenTrees MergeTrees(ChunkStore* chunks, const RootPair& base, const RootPair& ours,
                          const RootPair& theirs, const MergeRules& rules, ChangeNumbers* numbers) {
    Edit edit(chunks, ours, rules.author, numbers, rules.above);
    MergeCursor cursor(*chunks, base, ours, theirs);
    const bool takes_over = rules.continues_base && numbers->is_range() && !rules.above;
    while (cursor.Next()) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        if (cursor.ours_changed()) {
            MergeKey(cursor, chunks, rules, &edit);
        } else if (takes_over) {
            if (!TakeOver(&cursor, base, theirs, &edit)) {
                break;
            }
        } else if (!SameContent(cursor.ours(), cursor.theirs())) {
            edit.Follow(cursor.key(), cursor.ours(), cursor.theirs());
            edit.Adopt(cursor.key(), cursor.ours(), cursor.theirs(), rules.keeps_authors);
        } else if (rules.continues_base) {
            edit.Keep(cursor.key(), cursor.ours(), cursor.theirs());
        }
    }
    return edit.Finish();
}

std::vector<KeyConflict> FindConflicts(ChunkStore* chunks, const RootPair& base, const RootPair& ours,
                                       const RootPair& theirs, const MergePolicies& policies) {
    std::vector<KeyConflict> conflicts;
    MergeCursor cursor(*chunks, base, ours, theirs);
    while (cursor.Next()) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        if (cursor.ours_changed()) {
            KeyMerge(cursor, chunks).Run(policies, {}, &conflicts);
        } else if (IsLong(cursor.one_sided_range()) && !SkipRange(&cursor)) {
            break;
        }
    }
    return conflicts;
}

bool RewindsVersions(ChunkStore* chunks, const RootPair& from, const RootPair& to) {
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

RewrittenTrees CarryOver(ChunkStore* chunks, const RootPair& head, const RootPair& to,
                         const RootPair& working, const std::string& author, ChangeNumbers* numbers,
                         ChangesOf changes_of) {
    Edit edit(chunks, working, author, numbers);
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

RewrittenTrees SwitchTrees(ChunkStore* chunks, const RootPair& from, const RootPair& to,
                           const std::string& author, ChangeNumbers* numbers) {
    Edit edit(chunks, from, author, numbers);
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

RootPair RaiseVersions(ChunkStore* chunks, const RootPair& of, const RootPair& above,
                       ChangeNumbers* numbers) {
    Edit edit(chunks, of, {}, numbers);
    MergeCursor cursor(*chunks, of, of, above);
    while (cursor.Next()) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        edit.Keep(cursor.key(), cursor.ours(), cursor.theirs());
    }
    return edit.Finish().roots;
}

bool SameContents(ChunkStore* chunks, const RootPair& a, const RootPair& b) {
    if (a.data_root != b.data_root) {
        return false;
    }
    DiffCursor diff(*chunks, a.meta_root, b.meta_root);
    while (std::optional<TreeChange> change = diff.Next()) {
        // Of a key that one side never wrote the other has a tombstone, or the data would differ.
        if (change->from && change->to && !SameTagsAndSchema(*change->from, *change->to)) {
            return false;
        }
    }
    return true;
}

void LogRewrite(int32 branch_id, Operation operation, const RootPair& from, const RootPair& to,
                const ChangeNumbers& numbers, const std::map<std::string, int64>& previous,
                Snapshot snapshot) {
    if (from == to) {
        return;
    }
    Table log = Guarded([] { return OpenChangeLogForWrite(); });
    if (numbers.is_range()) {
        Guarded([&] { AppendRange(&log, numbers.range_seq(), branch_id, operation, from, to); });
    } else {
        ChunkStore chunks(snapshot);
        const Tree items(chunks, to.data_root);
        MemoryContext context = Guarded(
            [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs log", ALLOCSET_SMALL_SIZES); });
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
                    decoded.payload = kvs::pg::LoadPayload(item->value, &chunks, &blob);
                    decoded.blob.reset();
                    inline_item = EncodeDataItem(decoded);
                    item_bytes = inline_item;
                }
            }
            Guarded([&] {
                MemoryContextReset(context);
                MemoryContext caller = MemoryContextSwitchTo(context);
                AppendChange(&log, static_cast<int64>(after.change.seq), prev_seq,
                             static_cast<int64>(after.version), branch_id, operation,
                             MakeVarlena(change->key), MakeVarlena(*change->to),
                             item ? MakeVarlena(item_bytes) : Datum{0});
                MemoryContextSwitchTo(caller);
            });
        }
        Guarded([&] { MemoryContextDelete(context); });
    }
    Guarded([&] {
        Close(&log);
        CommandCounterIncrement();
    });
}

}  // namespace kvs::pg
