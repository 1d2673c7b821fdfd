// Comparing a key with a pattern.
#include "kvs/pattern/pattern.h"

namespace kvs {

namespace {

// Wildcards for several levels stand only at the end, so one walk decides. `on_capture` is told of each
// captured level in turn, also where the key then turns out not to match.
template <typename OnCapture>
bool Walk(const std::vector<Pattern::Level>& pattern, std::string_view key, OnCapture on_capture) {
    KeyLevels key_levels(key);
    std::string_view key_level;
    for (const Pattern::Level& level : pattern) {
        if (level.kind == Pattern::LevelKind::kRest) {
            return true;
        }
        if (!key_levels.Next(&key_level)) {
            return false;
        }
        switch (level.kind) {
            case Pattern::LevelKind::kLiteral:
                if (key_level != level.text) {
                    return false;
                }
                break;
            case Pattern::LevelKind::kPrefix:
                return key_level.starts_with(level.text);
            case Pattern::LevelKind::kCapture:
                on_capture(level.text, key_level);
                break;
            case Pattern::LevelKind::kAny:
            case Pattern::LevelKind::kRest:
                break;
        }
    }
    return !key_levels.Next(&key_level);
}

}  // namespace

bool Pattern::Matches(std::string_view key) const {
    return Walk(levels_, key, [](std::string_view, std::string_view) {});
}

std::optional<std::vector<Pattern::Capture>> Pattern::Captures(std::string_view key) const {
    std::vector<Capture> captures;
    bool matches = Walk(levels_, key, [&](std::string_view name, std::string_view value) {
        captures.push_back({name, value});
    });
    if (!matches) {
        return std::nullopt;
    }
    return captures;
}

bool Pattern::MatchesEverything() const {
    auto is_one_level = [](const Level& level) {
        return level.kind == LevelKind::kAny || level.kind == LevelKind::kCapture;
    };
    const Level& first = levels_.front();
    if (levels_.size() == 1) {
        return first.kind == LevelKind::kRest || (first.kind == LevelKind::kPrefix && first.text.empty());
    }
    // "#" also matches its parent, and every key has a first level.
    return levels_.size() == 2 && is_one_level(first) && levels_.back().kind == LevelKind::kRest;
}

}  // namespace kvs
