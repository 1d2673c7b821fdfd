// Merges one key that both sides changed: its document, expiry, tags and schema.
//
//   same content on both sides   the side with the higher version, ours if neither is higher; but a counter
//                                counts both, unless both sides hold the same change
//   one side as in the base      the other side
//   one side deleted it          a conflict at ""; with counter, set, max, min the modification stays, with
//                                lww the later side
//   documents                    MergeDocuments. Later is the larger updated_at, then the larger payload
//   bytes                        the side that changed them, else a conflict at ""; the later side with a
//                                convergent policy. A document against bytes likewise (kType)
//   expiry                       of the side that changed it; both, or without a base: the later moment, none
//                                being the latest
//   tags                         three-way set: ours without what theirs removed, then what theirs added
//   schema                       of the side that changed it; both: theirs'
//
// Content is all that a reader can set: type, payload, expiry, tags and schema. An item that has expired is
// an item like any other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/codec/item.h"
#include "kvs/entry.h"
#include "kvs/json/json.h"
#include "kvs/merge/document_merge.h"
#include "kvs/merge/merge_policy.h"

namespace kvs {

// Between the payload of a JSON item, which is opaque to the core, and the document. Errors are its own.
class DocumentCodec {
  public:
    virtual ~DocumentCodec() = default;
    virtual Json Decode(std::string_view payload) = 0;
    virtual std::string Encode(const Json& document) = 0;
};

// The codec of the in-memory store: payloads are JSON text. Decode throws Error(kCorruption) for anything
// else.
class JsonTextCodec final : public DocumentCodec {
  public:
    Json Decode(std::string_view payload) override;
    std::string Encode(const Json& document) override;
};

// The key on one side. Without metadata it was never written; with metadata but without an item it is
// deleted.
struct EntrySide {
    std::optional<Metadata> metadata;
    std::optional<DataItem> item;  // its payload loaded: `blob` must not be set
};

struct MergedEntry {
    enum class Outcome : uint8_t {
        kOurs,    // keep ours byte by byte
        kTheirs,  // take theirs' content
        kMerged,  // the content below
    };

    Outcome outcome = Outcome::kOurs;

    // With kMerged only.
    std::optional<Value> value;  // nullopt: deleted
    std::vector<std::string> tags;
    std::optional<std::string> schema_hash;

    // Those left. Where one is, the entry holds what ours has; bytes stand in it as the string "\x<hex>".
    std::vector<MergeConflict> conflicts;

    // `value` as an item to encode: a view of it.
    std::optional<DataItem> item() const {
        return value ? std::optional(DataItem{value->type, value->expires_at, value->payload, std::nullopt})
                     : std::nullopt;
    }
};

// Errors: kWrongType for a Resolution::kValue where the conflict is about bytes; what `codec` throws.
MergedEntry MergeEntry(const EntrySide& base, const EntrySide& ours, const EntrySide& theirs,
                       const PolicySpec& policy, DocumentCodec& codec, const Resolver& resolver = {});

}  // namespace kvs
