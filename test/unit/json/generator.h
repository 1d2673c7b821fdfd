// Random documents for property tests.
#pragma once

#include <rapidcheck.h>

#include <string>

#include "kvs/json/json.h"

namespace kvs {

// A number as JSON writes it, in any of its forms.
inline std::string AnyNumberText() {
    std::string text = *rc::gen::element<std::string>("", "-");
    std::string digits = std::to_string(*rc::gen::inRange<uint64_t>(0, 1000000000000000000u));
    text += digits == "0" ? "0" : digits + std::string(*rc::gen::inRange<size_t>(0, 20), '0');
    if (*rc::gen::arbitrary<bool>()) {
        text += "." + std::to_string(*rc::gen::inRange<uint64_t>(0, 1000000)) +
                *rc::gen::element<std::string>("", "00");
    }
    if (*rc::gen::inRange(0, 3) == 0) {
        text += *rc::gen::element<std::string>("e", "E", "e+", "E-", "e-0", "e+00") +
                std::to_string(*rc::gen::inRange(0, 400));
    }
    return text;
}

// UTF-8 text with the characters that need care.
inline std::string AnyText() {
    auto pieces = *rc::gen::container<std::vector<std::string>>(
        rc::gen::element<std::string>("a", "b", "~", "/", "0", "\"", "\\", "\n", "\x01", "\xc3\xb6",
                                      "\xe2\x82\xac", "\xee\x80\x80", "\xef\xbf\xbd", "\xf0\x9f\x98\x80"));
    std::string text;
    for (const std::string& piece : pieces) {
        text += piece;
    }
    return text;
}

inline Json AnyJson(int depth);

inline Json AnyObject(int depth) {
    Json::Object members;
    for (int i = *rc::gen::inRange(0, 4); i > 0; i--) {
        members.insert_or_assign(AnyText(), AnyJson(depth - 1));
    }
    return Json::FromObject(std::move(members));
}

inline Json AnyJson(int depth) {
    int kind = *rc::gen::inRange(0, depth > 0 ? 7 : 4);
    switch (kind) {
        case 0:
            return Json();
        case 1:
            return Json::Bool(*rc::gen::arbitrary<bool>());
        case 2:
            return Json::Number(AnyNumberText()).OrThrow();
        case 3:
            return Json::String(AnyText());
        case 4: {
            Json::Array items;
            for (int i = *rc::gen::inRange(0, 4); i > 0; i--) {
                items.push_back(AnyJson(depth - 1));
            }
            return Json::FromArray(std::move(items));
        }
        default:
            return AnyObject(depth);
    }
}

}  // namespace kvs
