#include "core/merge/array_merge.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "core/json/decimal.h"

namespace kvs {

namespace {

// Appends what equal values, and only they, have in common. Every value's end can be told from its beginning.
void AppendValueKey(std::string& out, const Json& json) {
    switch (json.kind()) {
        case Json::Kind::kNull:
            out += 'n';
            return;
        case Json::Kind::kBool:
            out += json.bool_value() ? 't' : 'f';
            return;
        case Json::Kind::kNumber: {
            const Decimal decimal = ParseDecimal(json.number_text());
            out.append(decimal.negative ? "-" : "+").append(decimal.digits);
            out.append("e").append(std::to_string(decimal.point)).append(";");
            return;
        }
        case Json::Kind::kString:
            out.append(std::to_string(json.string().size())).append(":").append(json.string());
            return;
        case Json::Kind::kArray:
            out += '[';
            for (const Json& item : json.array()) {
                AppendValueKey(out, item);
            }
            out += ']';
            return;
        case Json::Kind::kObject:
            out += '{';
            for (const auto& [name, value] : json.object()) {
                out.append(std::to_string(name.size())).append(":").append(name);
                AppendValueKey(out, value);
            }
            out += '}';
            return;
    }
}

std::vector<std::string> ValueKeys(const Json::Array& items) {
    std::vector<std::string> keys;
    keys.reserve(items.size());
    for (const Json& item : items) {
        keys.push_back(ValueKey(item));
    }
    return keys;
}

// How often a value stands in the arrays.
struct Occurrences {
    size_t base = 0;
    size_t ours = 0;
    size_t theirs = 0;
};

using OccurrencesByValue = std::map<std::string_view, Occurrences>;

// The arrays of the three sides, each element with what makes it equal to others.
struct KeyedArrays {
    KeyedArrays(const Json::Array& base, const Json::Array& ours, const Json::Array& theirs)
        : base_keys(ValueKeys(base)), ours_keys(ValueKeys(ours)), theirs_keys(ValueKeys(theirs)) {
        for (const std::string& key : base_keys) {
            count[key].base++;
        }
        for (const std::string& key : ours_keys) {
            count[key].ours++;
        }
        for (const std::string& key : theirs_keys) {
            count[key].theirs++;
        }
    }

    const std::vector<std::string> base_keys;
    const std::vector<std::string> ours_keys;
    const std::vector<std::string> theirs_keys;
    OccurrencesByValue count;  // views of the keys above
};

size_t Excess(size_t more, size_t less) {
    return more > less ? more - less : 0;
}

}  // namespace

std::string ValueKey(const Json& json) {
    std::string key;
    AppendValueKey(key, json);
    return key;
}

Json::Array MergeAppended(const Json::Array& base, const Json::Array& ours, const Json::Array& theirs) {
    const KeyedArrays arrays(base, ours, theirs);
    struct Plan {
        size_t drop;  // the first ones of ours
        size_t skip;  // the first ones of theirs, which are those of the base
    };
    std::map<std::string_view, Plan> plans;
    for (const auto& [key, n] : arrays.count) {
        // What both removed is gone from ours already.
        const size_t removed_by_theirs_alone = Excess(Excess(n.base, n.theirs), Excess(n.base, n.ours));
        plans[key] = {removed_by_theirs_alone, std::min(n.base, n.theirs)};
    }

    Json::Array merged;
    const auto take = [&merged, &plans](const Json::Array& items, const std::vector<std::string>& keys,
                                        size_t Plan::*leave_out) {
        for (size_t i = 0; i < items.size(); i++) {
            size_t& left = plans[keys[i]].*leave_out;
            if (left > 0) {
                left--;
            } else {
                merged.push_back(items[i]);
            }
        }
    };
    take(ours, arrays.ours_keys, &Plan::drop);
    take(theirs, arrays.theirs_keys, &Plan::skip);
    return merged;
}

Json::Array MergeSets(const Json::Array& base, const Json::Array& ours, const Json::Array& theirs) {
    const KeyedArrays arrays(base, ours, theirs);
    std::set<std::string_view> left;  // to be put into the merged set
    for (const auto& [key, n] : arrays.count) {
        const bool removed = n.base > 0 && (n.ours == 0 || n.theirs == 0);
        if (!removed) {
            left.insert(key);
        }
    }
    Json::Array merged;
    const auto take = [&merged, &left](const Json::Array& items, const std::vector<std::string>& keys) {
        for (size_t i = 0; i < items.size(); i++) {
            if (left.erase(keys[i]) > 0) {
                merged.push_back(items[i]);
            }
        }
    };
    take(ours, arrays.ours_keys);
    take(theirs, arrays.theirs_keys);
    return merged;
}

std::optional<ElementIndex> IndexElements(const Json::Array& items, const std::string& field) {
    ElementIndex index;
    for (size_t i = 0; i < items.size(); i++) {
        const Json* id = items[i].Find(field);
        if (id == nullptr || !index.emplace(ValueKey(*id), i).second) {
            return std::nullopt;
        }
    }
    return index;
}

}  // namespace kvs
