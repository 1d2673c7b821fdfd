// Reading a pattern.
#include <algorithm>
#include <utility>

#include "kvs/pattern/pattern.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

Error BadPattern(std::string_view text, const std::string& what, const char* hint) {
    return {ErrorCode::kInvalidArgument, "pattern " + Quoted(text) + " " + what, hint};
}

constexpr char kWholeLevelHint[] =
    "Wildcards \"+\", \"#\" and {name} stand for a whole level between \"/\" and \":\".";

bool IsName(std::string_view name) {
    auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return !name.empty() && is_letter(name.front()) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || is_digit(c); });
}

// One level, `last` telling whether others follow it. `pattern` is for the error.
Result<Pattern::Level> ParseLevel(std::string_view pattern, std::string_view level, bool last) {
    using Kind = Pattern::LevelKind;
    if (level == "+") {
        return Pattern::Level{Kind::kAny, ""};
    }
    if (level == "#") {
        if (!last) {
            return BadPattern(pattern, "has levels behind a \"#\"", "\"#\" may only be the last level.");
        }
        return Pattern::Level{Kind::kRest, ""};
    }
    if (level.find_first_of("+#") != std::string_view::npos) {
        return BadPattern(pattern, "mixes a wildcard with text in one level", kWholeLevelHint);
    }
    if (size_t star = level.find('*'); star != std::string_view::npos) {
        if (!last || star != level.size() - 1) {
            return BadPattern(pattern, "has a \"*\" that is not at its end",
                              "\"*\" may only be the last character; \"+\" stands for one level.");
        }
        level.remove_suffix(1);
        if (level.find_first_of("{}") != std::string_view::npos) {
            return BadPattern(pattern, "mixes a wildcard with text in one level", kWholeLevelHint);
        }
        return Pattern::Level{Kind::kPrefix, std::string(level)};
    }
    if (level.find_first_of("{}") != std::string_view::npos) {
        if (level.size() < 2 || level.front() != '{' || level.back() != '}' ||
            !IsName(level.substr(1, level.size() - 2))) {
            return BadPattern(pattern, "has a bad capture",
                              "Write a capture as {name}, a whole level, with a name of letters, digits and "
                              "underscores.");
        }
        return Pattern::Level{Kind::kCapture, std::string(level.substr(1, level.size() - 2))};
    }
    return Pattern::Level{Kind::kLiteral, std::string(level)};
}

}  // namespace

Result<Pattern> Pattern::Parse(std::string_view text) {
    if (text.empty() || text == ":") {
        return Error(ErrorCode::kInvalidArgument, "pattern must not be empty", "\"#\" matches every key.");
    }
    if (text.size() > kMaxKeySize) {
        return BadPattern(text, "is too long: " + std::to_string(text.size()) + " bytes",
                          "A pattern may have up to 2048 bytes.");
    }
    if (text.find('\0') != std::string_view::npos) {
        return BadPattern(text, "contains a NUL byte", "");
    }

    std::vector<std::string_view> parts;
    std::string_view part;
    for (KeyLevels levels(text); levels.Next(&part);) {
        parts.push_back(part);
    }
    Pattern pattern;
    pattern.text_ = text;
    std::vector<std::string_view> names;
    for (size_t i = 0; i < parts.size(); i++) {
        Result<Level> level = ParseLevel(text, parts[i], i + 1 == parts.size());
        if (!level.ok()) {
            return level.error();
        }
        if (level.value().kind == LevelKind::kCapture) {
            names.push_back(parts[i]);
        }
        pattern.levels_.push_back(std::move(level).value());
    }
    std::sort(names.begin(), names.end());
    if (auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
        return BadPattern(text, "captures " + std::string(*twice) + " twice",
                          "Give each capture a name of its own.");
    }
    return pattern;
}

}  // namespace kvs
