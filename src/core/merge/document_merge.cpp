#include "kvs/merge/document_merge.h"

#include <utility>

#include "core/json/decimal.h"
#include "core/merge/array_merge.h"
#include "kvs/json/pointer.h"

namespace kvs {

namespace {

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

bool Identical(const Json* left, const Json* right) {
    return left == nullptr || right == nullptr ? left == right : *left == *right;
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
        if (Identical(base, theirs)) {
            return Copy(ours);
        }
        if (Identical(base, ours)) {
            return Copy(theirs);
        }
        // A number may be written in another way, and stays the value that it was: a change, but of the two
        // the one that gives way.
        const bool theirs_is_base = Same(base, theirs);
        if (theirs_is_base != Same(base, ours)) {
            return Copy(theirs_is_base ? ours : theirs);
        }
        if (theirs_is_base) {
            return Later(ours, theirs);
        }
        if (both && MergesByIndex(base, *ours, *theirs)) {
            return MergeByIndex(base, ours->array(), theirs->array());
        }
        if (both && policy_.policy == MergePolicy::kCounter && ours->IsNumber() && theirs->IsNumber()) {
            return MergeCounters(base, *ours, *theirs);
        }
        if (Same(ours, theirs)) {
            return Later(ours, theirs);
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
        AppendJsonPointer(&path_, token);
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
        case MergeReason::kTooLarge:
            return "size";
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

}  // namespace kvs
