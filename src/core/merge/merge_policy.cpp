#include "kvs/merge/merge_policy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kvs/util/quote.h"

namespace kvs {

namespace {

struct PolicyName {
    MergePolicy policy;
    std::string_view name;
};

constexpr std::array<PolicyName, 8> kPolicyNames = {{
    {MergePolicy::kConflict, "conflict"},
    {MergePolicy::kAppend, "append"},
    {MergePolicy::kSet, "set"},
    {MergePolicy::kById, "by:"},  // and the field
    {MergePolicy::kCounter, "counter"},
    {MergePolicy::kLww, "lww"},
    {MergePolicy::kMax, "max"},
    {MergePolicy::kMin, "min"},
}};

// How much of a key a pattern fixes; see MergePolicies::For.
struct Specificity {
    size_t literal_bytes = 0;
    size_t levels = 0;

    auto operator<=>(const Specificity&) const = default;
};

Specificity SpecificityOf(const Pattern& pattern) {
    Specificity specificity;
    bool literal = true;  // no wildcard so far
    for (const Pattern::Level& level : pattern.levels()) {
        const bool is_prefix = level.kind == Pattern::LevelKind::kPrefix;
        if (literal && (level.kind == Pattern::LevelKind::kLiteral || is_prefix)) {
            const size_t separator = specificity.levels > 0 ? 1 : 0;
            specificity.literal_bytes += separator + level.text.size();
        } else {
            literal = false;
        }
        if (!is_prefix && level.kind != Pattern::LevelKind::kRest) {
            specificity.levels++;
        }
    }
    return specificity;
}

bool IsMoreSpecific(const Pattern& left, const Pattern& right) {
    const Specificity of_left = SpecificityOf(left);
    const Specificity of_right = SpecificityOf(right);
    return of_left != of_right ? of_left > of_right : left.text() < right.text();
}

}  // namespace

Result<PolicySpec> ParseMergePolicy(std::string_view text) {
    for (const PolicyName& candidate : kPolicyNames) {
        if (candidate.policy == MergePolicy::kById) {
            if (text.size() > candidate.name.size() && text.starts_with(candidate.name)) {
                return PolicySpec{MergePolicy::kById, std::string(text.substr(candidate.name.size()))};
            }
        } else if (text == candidate.name) {
            return PolicySpec{candidate.policy, {}};
        }
    }
    return Error(
        ErrorCode::kInvalidArgument, Quoted(text) + " is not a merge policy",
        "A merge policy is conflict, append, set, by:FIELD (the member that identifies an element, as "
        "in by:id), counter, lww, max or min.");
}

std::string ToText(const PolicySpec& spec) {
    return std::string(kPolicyNames[static_cast<size_t>(spec.policy)].name) + spec.id_field;
}

void MergePolicies::Set(Pattern pattern, PolicySpec spec) {
    std::erase_if(rules_, [&pattern](const Rule& rule) { return rule.pattern.text() == pattern.text(); });
    auto place = std::find_if(rules_.begin(), rules_.end(),
                              [&pattern](const Rule& rule) { return IsMoreSpecific(pattern, rule.pattern); });
    rules_.insert(place, Rule{std::move(pattern), std::move(spec)});
}

const PolicySpec& MergePolicies::For(std::string_view key) const {
    for (const Rule& rule : rules_) {
        if (rule.pattern.Matches(key)) {
            return rule.spec;
        }
    }
    return default_;
}

}  // namespace kvs
