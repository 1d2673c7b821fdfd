#include "pg/branch/entry_edit.h"

#include <algorithm>
#include <utility>

#include "kvs/entry/write_decision.h"
#include "kvs/error.h"
#include "kvs/tree/diff.h"
#include "kvs/version/same_contents.h"
#include "pg/chunk/tree_item.h"
#include "pg/wall/convert.h"
#include "pg/wall/settings.h"

namespace kvs::pg {

bool SameContent(const EntryState& a, const EntryState& b) {
    return a.item == b.item && (!a.item || SameTagsAndSchema(a.meta, b.meta));
}

uint64_t VersionOf(const EntryState& state) {
    return state.written() ? DecodeMetadataHeader(state.meta).OrThrow().version : 0;
}

EntryEdit::EntryEdit(ChunkStore* chunks, const TreePair& ours, std::string author, ChangeNumbers* numbers,
                     const std::optional<TreePair>& above)
    : chunks_(chunks),
      data_(*chunks, ours.data_root),
      meta_(*chunks, ours.meta_root),
      author_(std::move(author)),
      origin_(SessionOrigin()),
      numbers_(numbers),
      now_(FromServerTime(GetCurrentTimestamp())) {
    if (above) {
        above_.emplace(*chunks, above->meta_root);
    }
}

void EntryEdit::Take(std::string_view key, const EntryState& ours, const EntryState& theirs) {
    if (!theirs.written()) {
        meta_.Delete(key);
    } else {
        meta_.Put(key, theirs.meta);
    }
    PutItem(key, theirs.item);
    out_.changed += ours.item == theirs.item ? 0 : 1;
}

void EntryEdit::TakeRange(const TreePair& base, const TreePair& theirs, const KeyRange& range) {
    data_.Splice(theirs.data_root, range);
    meta_.Splice(theirs.meta_root, range);
    out_.changed +=
        static_cast<int64>(DiffCursor(*chunks_, base.data_root, theirs.data_root, range).CountRest());
}

void EntryEdit::Keep(std::string_view key, const EntryState& ours, const EntryState& theirs) {
    const uint64_t lowest = VersionOf(theirs) + (SameContent(ours, theirs) ? 0 : 1);
    if (VersionOf(ours) >= lowest) {
        return;
    }
    Metadata next = DecodeMetadata(ours.written() ? ours.meta : theirs.meta).OrThrow();
    next.deleted = !ours.item;
    next.expires = next.expires && ours.item;
    next.version = lowest;
    next.change = IsHidden(key, ours) ? ChangeNumbers::Unlogged().Next() : numbers_->Next();
    next.comment.reset();
    next.origin = origin_.value_or("");
    PutNext(key, next);
}

void EntryEdit::Adopt(std::string_view key, const EntryState& ours, const EntryState& theirs, bool authored) {
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
    incoming.expires = incoming.expires && theirs.item.has_value();
    WriteOptions options;
    options.modified_by = authored ? incoming.modified_by : author_;
    options.origin = origin_;
    Metadata next = AdoptMetadata(current ? &*current : nullptr, incoming, options, now_, numbers_->Next());
    if (authored) {
        next.updated_at = incoming.updated_at;
    }
    PutNext(key, next);
    PutItem(key, theirs.item);
    out_.changed++;
}

void EntryEdit::Write(std::string_view key, const Metadata& metadata, const std::optional<DataItem>& item) {
    PutNext(key, metadata);
    if (item) {
        data_.Put(key, ToTreeItem(EncodeDataItem(*item), chunks_));
    } else {
        data_.Delete(key);
    }
    out_.changed++;
}

void EntryEdit::Follow(std::string_view key, const EntryState& ours, const EntryState& theirs) {
    if (numbers_->is_range() || !theirs.written() || IsHidden(key, ours)) {
        return;
    }
    const MetadataHeader header = DecodeMetadataHeader(theirs.meta).OrThrow();
    if (header.change.log_id == numbers_->log()) {
        out_.previous.emplace(key, static_cast<int64>(header.change.seq));
    }
}

RewrittenTrees EntryEdit::Finish() {
    out_.roots = {data_.Finish(), meta_.Finish()};
    chunks_->Flush();
    return std::move(out_);
}

// Whether the state above has a key of its own there, so that the log will not hold what the edit makes of
// it.
bool EntryEdit::IsHidden(std::string_view key, const EntryState& ours) const {
    const std::optional<FoundValue> found = above_ ? above_->Get(key) : std::nullopt;
    return found && found->value != ours.meta;
}

void EntryEdit::PutNext(std::string_view key, Metadata next) {
    if (const std::optional<FoundValue> found = above_ ? above_->Get(key) : std::nullopt) {
        next.version = std::max(next.version, DecodeMetadataHeader(found->value).OrThrow().version + 1);
    }
    meta_.Put(key, EncodeMetadata(next));
}

void EntryEdit::PutItem(std::string_view key, std::optional<std::string_view> item) {
    if (item) {
        data_.Put(key, *item);
    } else {
        data_.Delete(key);
    }
}

}  // namespace kvs::pg
