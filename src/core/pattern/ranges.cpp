// Where in the order of keys a pattern's matches can lie.
#include <algorithm>
#include <utility>

#include "kvs/pattern/pattern.h"

namespace kvs {

namespace {

// Between literal levels stands '/' or ':', so each further one doubles the ranges. Beyond this many
// separators the levels are left to Matches.
constexpr size_t kMaxSplitSeparators = 2;

// The literal beginning of a pattern.
struct Head {
    std::vector<std::string_view> levels;  // whole levels
    std::string_view prefix;               // beginning of the level behind them, if has_prefix
    bool has_prefix = false;
    bool more = false;  // a level must follow `levels`
    bool rest = false;  // levels may follow `levels`
};

Head HeadOf(const std::vector<Pattern::Level>& pattern) {
    Head head;
    for (const Pattern::Level& level : pattern) {
        switch (level.kind) {
            case Pattern::LevelKind::kLiteral:
                head.levels.push_back(level.text);
                continue;
            case Pattern::LevelKind::kAny:
            case Pattern::LevelKind::kCapture:
                head.more = true;
                break;
            case Pattern::LevelKind::kRest:
                head.rest = true;
                break;
            case Pattern::LevelKind::kPrefix:
                head.has_prefix = true;
                head.prefix = level.text;
                break;
        }
        break;
    }
    return head;
}

// The first string behind all that begin with `prefix`; empty if there is none.
std::string EndOfPrefix(std::string prefix) {
    while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xff) {
        prefix.pop_back();
    }
    if (!prefix.empty()) {
        prefix.back() = static_cast<char>(prefix.back() + 1);
    }
    return prefix;
}

Pattern::Range PrefixRange(const std::string& prefix) {
    return {prefix, EndOfPrefix(prefix)};
}

// Keys that begin with `levels` and go on with a separator: '/' and ':' stand close enough together.
Pattern::Range SeparatorRange(const std::string& levels) {
    return {levels + '/', levels + ';'};
}

Pattern::Range SingleKey(const std::string& key) {
    return {key, key + '\0'};
}

void MergeOverlaps(std::vector<Pattern::Range>& ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
    std::vector<Pattern::Range> merged;
    for (Pattern::Range& range : ranges) {
        if (!merged.empty() && (merged.back().end.empty() || range.start <= merged.back().end)) {
            std::string& end = merged.back().end;
            if (!end.empty() && (range.end.empty() || range.end > end)) {
                end = std::move(range.end);
            }
        } else {
            merged.push_back(std::move(range));
        }
    }
    ranges = std::move(merged);
}

}  // namespace

std::vector<Pattern::Range> Pattern::Ranges() const {
    Head head = HeadOf(levels_);
    std::vector<Range> ranges;
    if (head.levels.empty()) {
        if (head.has_prefix && !head.prefix.empty()) {
            ranges.push_back(PrefixRange(std::string(head.prefix)));
            ranges.push_back(PrefixRange(":" + std::string(head.prefix)));
            MergeOverlaps(ranges);
        } else {
            ranges.push_back({"", ""});
        }
        return ranges;
    }

    // Every way to write the literal levels with separators between them, as far as they are split.
    std::vector<std::string> heads = {std::string(head.levels[0]), ":" + std::string(head.levels[0])};
    size_t used = 1;
    for (; used < head.levels.size() && used <= kMaxSplitSeparators; used++) {
        std::vector<std::string> longer;
        for (const std::string& start : heads) {
            for (char separator : {'/', ':'}) {
                longer.push_back(start + separator + std::string(head.levels[used]));
            }
        }
        heads = std::move(longer);
    }

    for (const std::string& start : heads) {
        if (used < head.levels.size() || head.more) {
            ranges.push_back(SeparatorRange(start));
        } else if (head.rest) {
            ranges.push_back(SingleKey(start));
            ranges.push_back(SeparatorRange(start));
        } else if (head.has_prefix && used <= kMaxSplitSeparators) {
            ranges.push_back(PrefixRange(start + '/' + std::string(head.prefix)));
            ranges.push_back(PrefixRange(start + ':' + std::string(head.prefix)));
        } else if (head.has_prefix) {
            ranges.push_back(SeparatorRange(start));
        } else {
            ranges.push_back(SingleKey(start));
        }
    }
    MergeOverlaps(ranges);
    return ranges;
}

std::string Pattern::LiteralPrefix() const {
    // Only a key of one level is never written with a leading ':'.
    const Level& first = levels_.front();
    return levels_.size() == 1 && first.kind == LevelKind::kLiteral ? first.text : std::string();
}

}  // namespace kvs
