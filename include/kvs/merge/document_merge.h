// Three-way merge of JSON documents: what two sides made of one base, put together.
//
// What only one side changed is taken over; what both changed alike is no conflict. Objects merge member by
// member, so that edits of different members never meet, also where the base has no object there. 2 and 2.0
// are the same value (SameValue): to write a number in another way is a change that is taken over if the
// other side left the value alone, gives way to one of the value, and of two such changes the later side's
// stays. What is left is decided by the policy:
//
//   arrays   conflict   a conflict (kArray)
//            append     ours without the elements that only theirs removed (the first of equal ones), then
//                       the elements that theirs added (the last of equal ones), in theirs' order. Where both
//                       sides only appended, that is the base, ours' additions, theirs' additions. Equal
//                       elements are counted: an element that both added is there twice, one that both
//                       removed is removed once
//            set        ours' elements without what theirs removed, then what theirs added, each once
//            by:FIELD   ours' elements in ours' order, then theirs' new ones; elements with the same FIELD
//                       merge as documents. A conflict (kArray) if on any side an element is no object, has
//                       no FIELD, or has that of another one. Inside, the path of a conflict holds the
//                       element's index in ours; if ours has no such element, the one it would be appended at
//            counter, max, min   by index, where the arrays have the same length; else of the later side
//   numbers  counter    ours + theirs - base, exactly; what is no number in the base counts as 0. Equal
//                       increments of both sides add up too: two people who counted one each have counted two
//            max, min   the larger, the smaller
//   a modification against a deletion: a conflict; with counter, set, max, min the modification stays; with
//            lww the later side
//   anything else (strings, kinds that differ, numbers without a rule): a conflict; with a convergent policy
//            the later side. So are sums beyond the range of PostgreSQL's numeric
//   lww      the whole document of the later side
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/json/json.h"
#include "kvs/merge/merge_policy.h"

namespace kvs {

enum class MergeReason : uint8_t {
    kModifyModify,  // modify/modify  both changed it
    kAddAdd,        // add/add        both added it
    kModifyDelete,  // modify/delete  ours modified what theirs deleted
    kDeleteModify,  // delete/modify  ours deleted what theirs modified
    kType,          // type           both changed it, to values of different kinds
    kArray,         // array          both changed the array, and no policy says how arrays merge
    kTooLarge,      // size           what both made of the document together is too large for a value
};

// "modify/modify", ...: the reason column of kvs.conflict.
const char* MergeReasonName(MergeReason reason);

// nullopt stands for what is not there.
struct MergeConflict {
    std::string path;  // JSON pointer (RFC 6901) into the merged document; "": the whole document
    std::optional<Json> base;
    std::optional<Json> ours;
    std::optional<Json> theirs;
    MergeReason reason = MergeReason::kModifyModify;

    bool operator==(const MergeConflict&) const = default;
};

// What to put where a conflict is.
struct Resolution {
    enum class Kind : uint8_t {
        kOurs,
        kTheirs,
        kBase,
        kDelete,
        kValue,  // `value`
    };

    Kind kind = Kind::kOurs;
    Json value;

    bool operator==(const Resolution&) const = default;
};

// Asked for each conflict, in the order of the merge; nullopt leaves it a conflict. A resolver that is empty
// leaves all of them.
using Resolver = std::function<std::optional<Resolution>(const MergeConflict&)>;

// Resolves every conflict like this: the strategies ours and theirs.
Resolver ResolveAll(Resolution::Kind kind);

struct MergedDocument {
    std::optional<Json> value;             // nullopt: deleted. Where a conflict is left, what ours has there
    std::vector<MergeConflict> conflicts;  // those left
};

// nullopt: no document on that side. `theirs_is_later` tells who wrote last; only convergent policies ask.
MergedDocument MergeDocuments(const std::optional<Json>& base, const std::optional<Json>& ours,
                              const std::optional<Json>& theirs, const PolicySpec& policy,
                              bool theirs_is_later, const Resolver& resolver = {});

}  // namespace kvs
