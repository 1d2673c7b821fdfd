#include "kvs/merge/entry_merge.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "kvs/util/quote.h"

namespace kvs {

namespace {

const std::vector<std::string>& TagsOf(const EntrySide& side) {
    static const std::vector<std::string> kNone;
    return side.item && side.metadata ? side.metadata->tags : kNone;
}

std::optional<std::string> SchemaOf(const EntrySide& side) {
    return side.item && side.metadata ? side.metadata->schema_hash : std::nullopt;
}

std::optional<Timestamp> ExpiryOf(const EntrySide& side) {
    return side.item ? side.item->expires_at : std::nullopt;
}

uint64_t VersionOf(const EntrySide& side) {
    return side.metadata ? side.metadata->version : 0;
}

bool IsDocument(const EntrySide& side) {
    return side.item && side.item->type == ValueType::kJson;
}

// Of what is deleted, nothing but that is content.
bool SamePayload(const EntrySide& left, const EntrySide& right) {
    if (!left.item || !right.item) {
        return !left.item && !right.item;
    }
    return left.item->type == right.item->type && left.item->payload == right.item->payload;
}

bool SameContent(const EntrySide& left, const EntrySide& right) {
    return SamePayload(left, right) && ExpiryOf(left) == ExpiryOf(right) && TagsOf(left) == TagsOf(right) &&
           SchemaOf(left) == SchemaOf(right);
}

bool IsLater(const EntrySide& theirs, const EntrySide& ours) {
    // Beyond time and size anything will do, as long as it is the same seen from the other side.
    const auto rank = [](const EntrySide& side) {
        const std::string_view payload = side.item ? side.item->payload : std::string_view();
        return std::tuple(side.metadata ? side.metadata->updated_at : 0, side.item.has_value(), payload,
                          IsDocument(side));
    };
    return rank(theirs) > rank(ours);
}

[[noreturn]] void ThrowNotForBytes() {
    throw Error(ErrorCode::kWrongType, "a conflict about bytes cannot be resolved with a JSON value",
                "Resolve it with ours, theirs, base or delete, and write the bytes afterwards.");
}

std::vector<std::string> MergeTags(const std::vector<std::string>& base, const std::vector<std::string>& ours,
                                   const std::vector<std::string>& theirs) {
    if (ours == base || ours == theirs) {
        return theirs;
    }
    if (theirs == base) {
        return ours;
    }
    const auto has = [](const std::vector<std::string>& tags, const std::string& tag) {
        return std::find(tags.begin(), tags.end(), tag) != tags.end();
    };
    std::vector<std::string> merged;
    for (const std::string& tag : ours) {
        if ((has(theirs, tag) || !has(base, tag)) && !has(merged, tag)) {
            merged.push_back(tag);
        }
    }
    for (const std::string& tag : theirs) {
        if (!has(ours, tag) && !has(base, tag) && !has(merged, tag)) {
            merged.push_back(tag);
        }
    }
    return merged;
}

class EntryMerger {
  public:
    EntryMerger(const EntrySide& base, const EntrySide& ours, const EntrySide& theirs,
                const PolicySpec& policy, DocumentCodec& codec, const Resolver& resolver)
        : base_(base),
          ours_(ours),
          theirs_(theirs),
          policy_(policy),
          codec_(codec),
          resolver_(resolver),
          theirs_is_later_(IsLater(theirs, ours)) {}

    MergedEntry Merge() && {
        if (SameContent(ours_, theirs_) && !CountTwice()) {
            KeepHigherVersion();
        } else if (SameContent(base_, ours_)) {
            merged_.outcome = MergedEntry::Outcome::kTheirs;
        } else if (SameContent(base_, theirs_)) {
            merged_.outcome = MergedEntry::Outcome::kOurs;
        } else if (!ours_.item || !theirs_.item) {
            MergeDeletion();
        } else {
            MergeContents();
        }
        return std::move(merged_);
    }

  private:
    using Outcome = MergedEntry::Outcome;

    // Equal payloads may be counters that each side incremented, unless they are one and the same change.
    bool CountTwice() const {
        const bool same_change =
            ours_.metadata && theirs_.metadata && ours_.metadata->change == theirs_.metadata->change;
        return policy_.policy == MergePolicy::kCounter && IsDocument(ours_) && IsDocument(theirs_) &&
               !same_change && !SamePayload(base_, ours_);
    }

    void KeepHigherVersion() {
        merged_.outcome = VersionOf(theirs_) > VersionOf(ours_) ? Outcome::kTheirs : Outcome::kOurs;
    }

    void MergeDeletion() {
        const bool ours_deleted = !ours_.item;
        if (policy_.policy == MergePolicy::kLww) {
            merged_.outcome = theirs_is_later_ ? Outcome::kTheirs : Outcome::kOurs;
            return;
        }
        if (policy_.convergent()) {
            merged_.outcome = ours_deleted ? Outcome::kTheirs : Outcome::kOurs;
            return;
        }
        std::optional<Resolution> resolution =
            Ask(ours_deleted ? MergeReason::kDeleteModify : MergeReason::kModifyDelete);
        if (!resolution) {
            return;
        }
        switch (resolution->kind) {
            case Resolution::Kind::kOurs:
                merged_.outcome = Outcome::kOurs;
                return;
            case Resolution::Kind::kTheirs:
                merged_.outcome = Outcome::kTheirs;
                return;
            case Resolution::Kind::kDelete:
                merged_.outcome = ours_deleted ? Outcome::kOurs : Outcome::kTheirs;
                return;
            case Resolution::Kind::kBase:
                TakeContent(base_);
                Finish();
                return;
            case Resolution::Kind::kValue:
                break;
        }
        const EntrySide& modified = ours_deleted ? theirs_ : ours_;
        if (!IsDocument(modified)) {
            ThrowNotForBytes();
        }
        TakeContent(modified);
        // What comes out as it was keeps its bytes.
        if (resolution->value != *DocumentOf(modified)) {
            merged_.value->payload = codec_.Encode(resolution->value);
        }
        Finish();
    }

    // Both sides hold something.
    void MergeContents() {
        merged_.value = MergePayloads();
        if (merged_.value) {
            merged_.value->expires_at = MergeExpiries();
            merged_.tags = MergeTags(TagsOf(base_), TagsOf(ours_), TagsOf(theirs_));
            merged_.schema_hash = SchemaOf(base_) == SchemaOf(theirs_) ? SchemaOf(ours_) : SchemaOf(theirs_);
        }
        Finish();
    }

    // Without the expiry; nullopt: deleted.
    std::optional<Value> MergePayloads() {
        if (!CountTwice() && SamePayload(ours_, theirs_)) {
            return ValueOf(ours_);
        }
        if (SamePayload(base_, theirs_)) {
            return ValueOf(ours_);
        }
        if (SamePayload(base_, ours_)) {
            return ValueOf(theirs_);
        }
        if (IsDocument(ours_) && IsDocument(theirs_)) {
            return MergeDocumentPayloads();
        }
        if (policy_.convergent()) {
            return ValueOf(theirs_is_later_ ? theirs_ : ours_);
        }
        return MergeOpaquePayloads();
    }

    std::optional<Value> MergeDocumentPayloads() {
        const std::optional<Json> base = IsDocument(base_) ? DocumentOf(base_) : std::nullopt;
        const std::optional<Json> ours = DocumentOf(ours_);
        const std::optional<Json> theirs = DocumentOf(theirs_);
        MergedDocument document = MergeDocuments(base, ours, theirs, policy_, theirs_is_later_, resolver_);
        std::move(document.conflicts.begin(), document.conflicts.end(),
                  std::back_inserter(merged_.conflicts));
        if (!document.value) {
            return std::nullopt;
        }
        // What comes out as it was keeps its bytes.
        if (*document.value == *ours) {
            return ValueOf(ours_);
        }
        if (*document.value == *theirs) {
            return ValueOf(theirs_);
        }
        Value merged{ValueType::kJson, std::nullopt, codec_.Encode(*document.value)};
        if (merged.payload.size() > kMaxValueSize && document.conflicts.empty()) {
            return policy_.convergent() ? ValueOf(theirs_is_later_ ? theirs_ : ours_)
                                        : TakeSide(MergeReason::kTooLarge, true);
        }
        return merged;
    }

    // Bytes that both sides changed, or a document against bytes.
    std::optional<Value> MergeOpaquePayloads() {
        const bool same_type = ours_.item->type == theirs_.item->type;
        return TakeSide(!same_type   ? MergeReason::kType
                        : base_.item ? MergeReason::kModifyModify
                                     : MergeReason::kAddAdd,
                        !same_type);
    }

    // The value that a conflict about it as a whole is decided for; that of ours as long as it is not.
    std::optional<Value> TakeSide(MergeReason reason, bool may_be_document) {
        std::optional<Resolution> resolution = Ask(reason);
        if (!resolution) {
            return ValueOf(ours_);
        }
        switch (resolution->kind) {
            case Resolution::Kind::kOurs:
                return ValueOf(ours_);
            case Resolution::Kind::kTheirs:
                return ValueOf(theirs_);
            case Resolution::Kind::kBase:
                return ValueOf(base_);
            case Resolution::Kind::kDelete:
                return std::nullopt;
            case Resolution::Kind::kValue:
                break;
        }
        if (!may_be_document) {
            ThrowNotForBytes();
        }
        return Value{ValueType::kJson, std::nullopt, codec_.Encode(resolution->value)};
    }

    std::optional<Timestamp> MergeExpiries() const {
        const std::optional<Timestamp> ours = ExpiryOf(ours_);
        const std::optional<Timestamp> theirs = ExpiryOf(theirs_);
        if (base_.item && ours == base_.item->expires_at) {
            return theirs;
        }
        if (base_.item && theirs == base_.item->expires_at) {
            return ours;
        }
        return ours && theirs ? std::optional(std::max(*ours, *theirs)) : std::nullopt;
    }

    // A conflict about the entry as a whole.
    std::optional<Resolution> Ask(MergeReason reason) {
        MergeConflict conflict = {"", DocumentOf(base_), DocumentOf(ours_), DocumentOf(theirs_), reason};
        std::optional<Resolution> resolution = resolver_ ? resolver_(conflict) : std::nullopt;
        if (!resolution) {
            merged_.conflicts.push_back(std::move(conflict));
        }
        return resolution;
    }

    // As it stands in a conflict.
    std::optional<Json> DocumentOf(const EntrySide& side) const {
        if (!side.item) {
            return std::nullopt;
        }
        return IsDocument(side) ? codec_.Decode(side.item->payload)
                                : Json::String(BytesText(side.item->payload));
    }

    static std::optional<Value> ValueOf(const EntrySide& side) {
        if (!side.item) {
            return std::nullopt;
        }
        return Value{side.item->type, side.item->expires_at, std::string(side.item->payload)};
    }

    void TakeContent(const EntrySide& side) {
        merged_.outcome = Outcome::kMerged;
        merged_.value = ValueOf(side);
        merged_.tags = TagsOf(side);
        merged_.schema_hash = SchemaOf(side);
    }

    bool CameOutAs(const EntrySide& side) const {
        return merged_.item() == side.item && merged_.tags == TagsOf(side) &&
               merged_.schema_hash == SchemaOf(side);
    }

    void Finish() {
        const bool as_ours = CameOutAs(ours_);
        const bool as_theirs = CameOutAs(theirs_);
        if (as_ours && as_theirs) {
            KeepHigherVersion();
        } else if (as_ours || as_theirs) {
            merged_.outcome = as_ours ? Outcome::kOurs : Outcome::kTheirs;
        } else {
            merged_.outcome = Outcome::kMerged;
            return;
        }
        merged_.value.reset();
        merged_.tags.clear();
        merged_.schema_hash.reset();
    }

    const EntrySide& base_;
    const EntrySide& ours_;
    const EntrySide& theirs_;
    const PolicySpec& policy_;
    DocumentCodec& codec_;
    const Resolver& resolver_;
    const bool theirs_is_later_;
    MergedEntry merged_;
};

}  // namespace

Json JsonTextCodec::Decode(std::string_view payload) {
    Result<Json> document = Json::Parse(payload);
    if (!document.ok()) {
        throw Error(ErrorCode::kCorruption, "payload is not JSON", {}, document.error().what());
    }
    return std::move(document).value();
}

std::string JsonTextCodec::Encode(const Json& document) {
    return document.ToText();
}

MergedEntry MergeEntry(const EntrySide& base, const EntrySide& ours, const EntrySide& theirs,
                       const PolicySpec& policy, DocumentCodec& codec, const Resolver& resolver) {
    return EntryMerger(base, ours, theirs, policy, codec, resolver).Merge();
}

}  // namespace kvs
