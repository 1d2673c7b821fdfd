#include "kvs/merge/document_merge.h"

#include <algorithm>
#include <map>
#include <utility>

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

std::string ValueKey(const Json& json) {
    std::string key;
    AppendValueKey(key, json);
    return key;
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
    KeyedArrays arrays(base, ours, theirs);
    Json::Array merged;
    for (size_t i = 0; i < ours.size(); i++) {
        Occurrences& n = arrays.count[arrays.ours_keys[i]];
        const bool removed_by_theirs = n.base > 0 && n.theirs == 0;
        if (n.ours > 0 && !removed_by_theirs) {
            merged.push_back(ours[i]);
        }
        n.ours = 0;                            // only once
        n.base = std::max<size_t>(n.base, 1);  // and theirs has nothing new in it
    }
    for (size_t i = 0; i < theirs.size(); i++) {
        Occurrences& n = arrays.count[arrays.theirs_keys[i]];
        if (n.base == 0) {
            merged.push_back(theirs[i]);
            n.base = 1;
        }
    }
    return merged;
}

// Where the element with an identity stands; nullopt if the elements do not all have one of their own.
using ElementIndex = std::map<std::string, size_t>;

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

const Json* Element(const Json::Array& items, const ElementIndex& index, const std::string& id) {
    auto element = index.find(id);
    return element == index.end() ? nullptr : &items[element->second];
}

std::optional<Json> Copy(const Json* json) {
    return json == nullptr ? std::nullopt : std::optional(*json);
}

bool Same(const Json* left, const Json* right) {
    return left == nullptr || right == nullptr ? left == right : SameValue(*left, *right);
}

void AppendToken(std::string& path, std::string_view token) {
    path += '/';
    for (char c : token) {
        if (c == '~') {
            path += "~0";
        } else if (c == '/') {
            path += "~1";
        } else {
            path += c;
        }
    }
}

// Goes down all three documents at once. A null pointer is what is not there.
class DocumentMerger {
  public:
    DocumentMerger(const PolicySpec& policy, bool theirs_is_later, const Resolver& resolver)
        : policy_(policy), theirs_is_later_(theirs_is_later), resolver_(resolver) {}

    std::optional<Json> Merge(const Json* base, const Json* ours, const Json* theirs) {
        // Of objects, no change and equal changes come out by themselves, in one pass over all levels.
        const bool both = ours != nullptr && theirs != nullptr;
        if (both && ours->IsObject() && theirs->IsObject() && policy_.policy != MergePolicy::kLww) {
            return MergeObjects(base, *ours, *theirs);
        }
        if (Same(base, theirs)) {
            return Copy(ours);
        }
        if (Same(base, ours)) {
            return Copy(theirs);
        }
        if (both && MergesByIndex(base, *ours, *theirs)) {
            return MergeByIndex(base, ours->array(), theirs->array());
        }
        if (both && policy_.policy == MergePolicy::kCounter && ours->IsNumber() && theirs->IsNumber()) {
            return MergeCounters(base, *ours, *theirs);
        }
        if (Same(ours, theirs)) {
            return Copy(ours);
        }
        if (policy_.policy == MergePolicy::kLww) {
            return Later(ours, theirs);
        }
        if (!both) {
            return MergeDeletion(base, ours, theirs);
        }
        if (ours->IsArray() && theirs->IsArray()) {
            return MergeArrays(base, *ours, *theirs);
        }
        const bool numbers = ours->IsNumber() && theirs->IsNumber();
        if (numbers && (policy_.policy == MergePolicy::kMax || policy_.policy == MergePolicy::kMin)) {
            const bool ours_is_less =
                CompareDecimals(ParseDecimal(ours->number_text()), ParseDecimal(theirs->number_text())) < 0;
            return ours_is_less == (policy_.policy == MergePolicy::kMin) ? *ours : *theirs;
        }
        if (policy_.convergent()) {
            return Later(ours, theirs);
        }
        return Conflict(ReasonOf(base, *ours, *theirs), base, ours, theirs);
    }

    std::vector<MergeConflict> TakeConflicts() { return std::move(conflicts_); }

  private:
    static MergeReason ReasonOf(const Json* base, const Json& ours, const Json& theirs) {
        if (ours.kind() != theirs.kind()) {
            return MergeReason::kType;
        }
        if (base == nullptr) {
            return MergeReason::kAddAdd;
        }
        return ours.IsArray() ? MergeReason::kArray : MergeReason::kModifyModify;
    }

    // Merge of what stands at `token` below here.
    std::optional<Json> MergeAt(std::string_view token, const Json* base, const Json* ours,
                                const Json* theirs) {
        const size_t size = path_.size();
        AppendToken(path_, token);
        std::optional<Json> merged = Merge(base, ours, theirs);
        path_.resize(size);
        return merged;
    }

    Json MergeObjects(const Json* base, const Json& ours, const Json& theirs) {
        static const Json::Object kNoMembers;
        const Json::Object& of_base = base != nullptr && base->IsObject() ? base->object() : kNoMembers;
        const Json::Object& of_ours = ours.object();
        const Json::Object& of_theirs = theirs.object();
        Json::Object merged;
        auto b = of_base.begin();
        auto o = of_ours.begin();
        auto t = of_theirs.begin();
        while (o != of_ours.end() || t != of_theirs.end()) {
            const bool ours_first = t == of_theirs.end() || (o != of_ours.end() && o->first <= t->first);
            const std::string& name = ours_first ? o->first : t->first;
            while (b != of_base.end() && b->first < name) {
                ++b;  // both sides deleted it
            }
            const Json* in_base = b != of_base.end() && b->first == name ? &b->second : nullptr;
            const Json* in_ours = o != of_ours.end() && o->first == name ? &o->second : nullptr;
            const Json* in_theirs = t != of_theirs.end() && t->first == name ? &t->second : nullptr;
            if (std::optional<Json> member = MergeAt(name, in_base, in_ours, in_theirs)) {
                merged.emplace_hint(merged.end(), name, *std::move(member));
            }
            o = in_ours != nullptr ? std::next(o) : o;
            t = in_theirs != nullptr ? std::next(t) : t;
        }
        return Json::FromObject(std::move(merged));
    }

    // An array of numbers, or of what holds some, in which nothing moved.
    bool MergesByIndex(const Json* base, const Json& ours, const Json& theirs) const {
        const bool by_path = policy_.policy == MergePolicy::kCounter || policy_.policy == MergePolicy::kMax ||
                             policy_.policy == MergePolicy::kMin;
        return by_path && ours.IsArray() && theirs.IsArray() &&
               ours.array().size() == theirs.array().size() &&
               (base == nullptr || !base->IsArray() || base->array().size() == ours.array().size());
    }

    Json MergeByIndex(const Json* base, const Json::Array& ours, const Json::Array& theirs) {
        Json::Array merged;
        merged.reserve(ours.size());
        for (size_t i = 0; i < ours.size(); i++) {
            const Json* in_base = base != nullptr && base->IsArray() ? &base->array()[i] : nullptr;
            // Nothing is deleted, so there is an answer.
            merged.push_back(*MergeAt(std::to_string(i), in_base, &ours[i], &theirs[i]));
        }
        return Json::FromArray(std::move(merged));
    }

    std::optional<Json> MergeCounters(const Json* base, const Json& ours, const Json& theirs) const {
        std::optional<Decimal> sum =
            AddDecimals(ParseDecimal(ours.number_text()), ParseDecimal(theirs.number_text()));
        if (sum && base != nullptr && base->IsNumber()) {
            sum = AddDecimals(*sum, Negated(ParseDecimal(base->number_text())));
        }
        return sum ? Json::Number(DecimalText(*sum)).OrThrow() : Later(&ours, &theirs);
    }

    std::optional<Json> MergeDeletion(const Json* base, const Json* ours, const Json* theirs) {
        if (policy_.convergent()) {
            return Copy(ours != nullptr ? ours : theirs);
        }
        return Conflict(ours != nullptr ? MergeReason::kModifyDelete : MergeReason::kDeleteModify, base, ours,
                        theirs);
    }

    std::optional<Json> MergeArrays(const Json* base, const Json& ours, const Json& theirs) {
        static const Json::Array kNoItems;
        const Json::Array& of_base = base != nullptr && base->IsArray() ? base->array() : kNoItems;
        switch (policy_.policy) {
            case MergePolicy::kAppend:
                return Json::FromArray(MergeAppended(of_base, ours.array(), theirs.array()));
            case MergePolicy::kSet:
                return Json::FromArray(MergeSets(of_base, ours.array(), theirs.array()));
            case MergePolicy::kById:
                if (std::optional<Json> merged = MergeById(of_base, ours.array(), theirs.array())) {
                    return merged;
                }
                return Conflict(MergeReason::kArray, base, &ours, &theirs);
            case MergePolicy::kCounter:
            case MergePolicy::kMax:
            case MergePolicy::kMin:
            case MergePolicy::kLww:
                return Later(&ours, &theirs);
            case MergePolicy::kConflict:
                break;
        }
        return Conflict(ReasonOf(base, ours, theirs), base, &ours, &theirs);
    }

    // nullopt if the elements cannot be told apart.
    std::optional<Json> MergeById(const Json::Array& base, const Json::Array& ours,
                                  const Json::Array& theirs) {
        const std::optional<ElementIndex> in_base = IndexElements(base, policy_.id_field);
        const std::optional<ElementIndex> in_ours = IndexElements(ours, policy_.id_field);
        const std::optional<ElementIndex> in_theirs = IndexElements(theirs, policy_.id_field);
        if (!in_base || !in_ours || !in_theirs) {
            return std::nullopt;
        }
        Json::Array merged;
        const auto add = [this, &merged](size_t index, const Json* b, const Json* o, const Json* t) {
            if (std::optional<Json> element = MergeAt(std::to_string(index), b, o, t)) {
                merged.push_back(*std::move(element));
            }
        };
        for (size_t i = 0; i < ours.size(); i++) {
            const std::string id = ValueKey(*ours[i].Find(policy_.id_field));
            add(i, Element(base, *in_base, id), &ours[i], Element(theirs, *in_theirs, id));
        }
        size_t next = ours.size();
        for (const Json& element : theirs) {
            const std::string id = ValueKey(*element.Find(policy_.id_field));
            const Json* old = Element(base, *in_base, id);
            if (!in_ours->contains(id) && !Same(old, &element)) {  // the same: deleted by ours
                add(next++, old, nullptr, &element);
            }
        }
        return Json::FromArray(std::move(merged));
    }

    std::optional<Json> Later(const Json* ours, const Json* theirs) const {
        return Copy(theirs_is_later_ ? theirs : ours);
    }

    std::optional<Json> Conflict(MergeReason reason, const Json* base, const Json* ours, const Json* theirs) {
        MergeConflict conflict = {path_, Copy(base), Copy(ours), Copy(theirs), reason};
        std::optional<Resolution> resolution = resolver_ ? resolver_(conflict) : std::nullopt;
        if (!resolution) {
            conflicts_.push_back(std::move(conflict));
            return Copy(ours);
        }
        switch (resolution->kind) {
            case Resolution::Kind::kOurs:
                return std::move(conflict.ours);
            case Resolution::Kind::kTheirs:
                return std::move(conflict.theirs);
            case Resolution::Kind::kBase:
                return std::move(conflict.base);
            case Resolution::Kind::kDelete:
                return std::nullopt;
            case Resolution::Kind::kValue:
                break;
        }
        return std::move(resolution->value);
    }

    const PolicySpec& policy_;
    const bool theirs_is_later_;
    const Resolver& resolver_;
    std::string path_;  // of what is being merged
    std::vector<MergeConflict> conflicts_;
};

const Json* PointerTo(const std::optional<Json>& json) {
    return json ? &*json : nullptr;
}

}  // namespace

const char* MergeReasonName(MergeReason reason) {
    switch (reason) {
        case MergeReason::kModifyModify:
            return "modify/modify";
        case MergeReason::kAddAdd:
            return "add/add";
        case MergeReason::kModifyDelete:
            return "modify/delete";
        case MergeReason::kDeleteModify:
            return "delete/modify";
        case MergeReason::kType:
            return "type";
        case MergeReason::kArray:
            return "array";
    }
    return "unknown";
}

Resolver ResolveAll(Resolution::Kind kind) {
    return [kind](const MergeConflict&) { return Resolution{kind, {}}; };
}

MergedDocument MergeDocuments(const std::optional<Json>& base, const std::optional<Json>& ours,
                              const std::optional<Json>& theirs, const PolicySpec& policy,
                              bool theirs_is_later, const Resolver& resolver) {
    DocumentMerger merger(policy, theirs_is_later, resolver);
    MergedDocument merged;
    merged.value = merger.Merge(PointerTo(base), PointerTo(ours), PointerTo(theirs));
    merged.conflicts = merger.TakeConflicts();
    return merged;
}

std::string AppendJsonPointer(std::string_view path, std::string_view token) {
    std::string longer(path);
    AppendToken(longer, token);
    return longer;
}

}  // namespace kvs
