// Random documents for the tests of merging: small ones of few values, so that three of them often meet.
#pragma once

#include <rapidcheck.h>

#include <optional>
#include <string>
#include <utility>

#include "kvs/json/json.h"
#include "kvs/merge/merge_policy.h"

namespace kvs::test {

// Of the numbers below `limit` each as likely as the others, unlike inRange, which begins with small ones.
inline int Pick(int limit) {
    return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(0, limit));
}

inline Json SmallScalar() {
    switch (Pick(6)) {
        case 0:
            return Json::String(*rc::gen::element<std::string>("", "x", "y/~"));
        case 1:
            return *rc::gen::arbitrary<bool>() ? Json() : Json::Bool(true);
        default:
            return Json::Number(*rc::gen::element<std::string>("0", "1", "1.0", "2", "-3", "0.5", "7e2"))
                .OrThrow();
    }
}

// An array is of scalars, or of objects with the member "id"; now and then of both.
inline Json SmallDocument(int depth = 3) {
    const int kind = depth <= 0 ? 0 : depth == 3 ? 2 + Pick(6) : Pick(8);
    if (kind < 3) {
        return SmallScalar();
    }
    if (kind < 6) {
        Json::Object members;
        for (int i = Pick(7); i > 0; i--) {
            members[*rc::gen::element<std::string>("a", "b", "c", "a/b", "~")] = SmallDocument(depth - 1);
        }
        return Json::FromObject(std::move(members));
    }
    Json::Array items;
    for (int i = Pick(4); i > 0; i--) {
        if (kind == 6) {
            items.push_back(SmallScalar());
        } else {
            Json item = Json::FromObject({{"v", SmallDocument(depth - 1)}});
            item.object()["id"] = Json::Integer(Pick(5));
            items.push_back(std::move(item));
        }
    }
    return Json::FromArray(std::move(items));
}

// `document` with something in it changed, or as it is.
inline Json Edited(Json document, int depth = 3) {
    if (Pick(12) == 0) {
        return SmallDocument(depth);
    }
    if (document.IsObject()) {
        Json::Object& members = document.object();
        for (auto member = members.begin(); member != members.end();) {
            switch (Pick(6)) {
                case 0:
                    member = members.erase(member);
                    continue;
                case 1:
                case 2:
                case 3:
                    member->second = Edited(std::move(member->second), depth - 1);
                    break;
                default:
                    break;
            }
            ++member;
        }
        if (*rc::gen::arbitrary<bool>() && depth > 0) {
            members.emplace(*rc::gen::element<std::string>("a", "b", "c", "a/b", "~"),
                            SmallDocument(depth - 1));
        }
    } else if (document.IsArray()) {
        Json::Array& items = document.array();
        for (size_t i = 0; i < items.size();) {
            switch (Pick(4)) {
                case 0:
                    items.erase(items.begin() + static_cast<ptrdiff_t>(i));
                    continue;
                case 1:
                    items[i] = Edited(std::move(items[i]), depth - 1);
                    break;
                default:
                    break;
            }
            ++i;
        }
        if (*rc::gen::arbitrary<bool>()) {
            items.push_back(SmallScalar());
        }
    } else if (*rc::gen::arbitrary<bool>()) {
        return SmallScalar();
    }
    return document;
}

// Three sides, the latter two mostly edits of the first; none of them may be there.
struct ThreeSides {
    std::optional<Json> base;
    std::optional<Json> ours;
    std::optional<Json> theirs;
};

inline std::optional<Json> EditedOrNot(const std::optional<Json>& base) {
    if (Pick(10) == 0) {
        return std::nullopt;
    }
    return base ? Edited(*base) : SmallDocument();
}

inline ThreeSides SmallSides() {
    ThreeSides sides;
    if (Pick(8) != 0) {
        sides.base = SmallDocument();
    }
    sides.ours = EditedOrNot(sides.base);
    sides.theirs = EditedOrNot(sides.base);
    return sides;
}

inline PolicySpec AnyPolicy() {
    return ParseMergePolicy(*rc::gen::element<std::string>("conflict", "append", "set", "by:id", "counter",
                                                           "lww", "max", "min"))
        .OrThrow();
}

}  // namespace kvs::test
