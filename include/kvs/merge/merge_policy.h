// How the entries of a pattern merge when both sides changed them.
//
//   conflict   edits of different members of objects merge, anything else is a conflict (the default)
//   append     as conflict, but arrays take the additions of both sides
//   set        an array is a set: what either side added is in it, what either side removed is not
//   by:FIELD   as conflict, but the elements of arrays are objects that FIELD identifies, and merge one by
//   one counter    a number takes what both sides added to it max, min   the larger, or smaller, of two
//   numbers lww        the side that wrote last
//
// set, counter, max, min and lww are convergent: with them no merge ends in a conflict.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/error.h"
#include "kvs/pattern/pattern.h"

namespace kvs {

enum class MergePolicy : uint8_t { kConflict, kAppend, kSet, kById, kCounter, kLww, kMax, kMin };

struct PolicySpec {
    MergePolicy policy = MergePolicy::kConflict;
    std::string id_field;  // the member that identifies an element; kById only

    // Never leaves a conflict.
    bool convergent() const {
        return policy == MergePolicy::kSet || policy == MergePolicy::kCounter ||
               policy == MergePolicy::kLww || policy == MergePolicy::kMax || policy == MergePolicy::kMin;
    }

    bool operator==(const PolicySpec&) const = default;
};

// conflict | append | set | by:FIELD | counter | lww | max | min; FIELD is anything but empty. Case counts.
// Errors: kInvalidArgument with a hint that lists them.
Result<PolicySpec> ParseMergePolicy(std::string_view text);

// What ParseMergePolicy reads.
std::string ToText(const PolicySpec& spec);

// Which policy holds for which key.
class MergePolicies {
  public:
    struct Rule {
        Pattern pattern;
        PolicySpec spec;
    };

    // Replaces the rule of the pattern with the same text, if there is one.
    void Set(Pattern pattern, PolicySpec spec);

    // Of the rules that match, that of the most specific pattern: the one with the most bytes in the literal
    // levels (or the beginning of one) before its first wildcard; of those equal in that the one with the
    // most levels, a last # or text* not counted; of those the one whose text is the smallest in bytes.
    // Without a match kConflict. The answer lives as long as this object is unchanged.
    // (Pattern::LiteralPrefix would not do: it is empty for every pattern of more than one level.)
    const PolicySpec& For(std::string_view key) const;

    // The most specific first, as For tries them.
    const std::vector<Rule>& rules() const { return rules_; }
    bool empty() const { return rules_.empty(); }

  private:
    std::vector<Rule> rules_;
    PolicySpec default_;
};

}  // namespace kvs
