#include "pg/branch/three_way_merge.h"

#include <utility>

#include "kvs/error.h"
#include "kvs/merge/entry_merge.h"
#include "kvs/util/quote.h"
#include "pg/chunk/tree_item.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/jsonb_json.h"

namespace kvs::pg {

namespace {

// So many keys of theirs in a range that ours left alone are put in one by one before the rest of the range
// is taken over: a take-over costs a few nodes at both ends.
constexpr uint64_t kSingleKeys = 32;

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

// One side of a key as the core's merge takes it; owns what it decodes.
struct LoadedSide {
    LoadedSide(const EntryState& state, ChunkStore* chunks) {
        if (state.written()) {
            side.metadata = DecodeMetadata(state.meta).OrThrow();
        }
        if (state.item) {
            side.item = DecodeDataItem(*state.item).OrThrow();
            LoadInline(&*side.item, chunks, &blob);
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

void MergeKey(const MergeCursor& cursor, ChunkStore* chunks, const MergeRules& rules, EntryEdit* edit) {
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
    next.expires = item && item->expires_at;
    next.updated_at = edit->now();
    next.change = edit->NextChange();
    next.modified_by = edit->author();
    next.origin = edit->origin().value_or("");
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
bool TakeOver(MergeCursor* cursor, const TreePair& base, const TreePair& theirs, EntryEdit* edit) {
    const MergeCursor::OneSidedRange& range = cursor->one_sided_range();
    if (!IsLong(range)) {
        edit->Take(cursor->key(), cursor->ours(), cursor->theirs());
        return true;
    }
    edit->TakeRange(base, theirs, {std::string(cursor->key()), range.keys.end});
    return SkipRange(cursor);
}

}  // namespace

RewrittenTrees MergeTrees(ChunkStore* chunks, const TreePair& base, const TreePair& ours,
                          const TreePair& theirs, const MergeRules& rules, ChangeNumbers* numbers) {
    EntryEdit edit(chunks, ours, rules.author, numbers, rules.above);
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

std::vector<KeyConflict> FindConflicts(ChunkStore* chunks, const TreePair& base, const TreePair& ours,
                                       const TreePair& theirs, const MergePolicies& policies) {
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

}  // namespace kvs::pg
