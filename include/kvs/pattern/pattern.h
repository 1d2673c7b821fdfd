// Patterns over keys: subscriptions, rules, searches.
//
// A key's levels are what stands between '/' and ':' in its serialised form; which of the two stands there
// does not matter, and a leading ':' is skipped. A pattern is written like a key, and its levels are
//
//     text      exactly this level
//     +         any one level
//     {name}    any one level, captured
//     #         any further levels or none, so that user:# also matches user; only as the last level
//     text*     a level that begins with text, and any levels behind it; only as the last level
//
// A wildcard stands for a whole level: a+b, #x, *x, a*b are errors, as are nested or repeated names.
// Segments are compared as serialised: a slash inside a segment is written %2F in the pattern too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/entry.h"
#include "kvs/error.h"

namespace kvs {

// Immutable and copyable; all that it hands out by view lives as long as the pattern or the key given.
class Pattern {
  public:
    enum class LevelKind : uint8_t {
        kLiteral,  // text: the level itself
        kAny,      // +
        kCapture,  // text: the name
        kRest,     // #
        kPrefix,   // text: what stands before the *
    };

    struct Level {
        LevelKind kind;
        std::string text;
    };

    struct Capture {
        std::string_view name;   // points into the pattern
        std::string_view value;  // points into the key
    };

    // Keys from `start` (inclusive) to `end` (exclusive; empty: to the last key).
    struct Range {
        std::string start;
        std::string end;
        bool operator==(const Range&) const = default;
    };

    // Errors: kInvalidArgument.
    static Result<Pattern> Parse(std::string_view text);

    const std::string& text() const { return text_; }  // as it was given
    const std::vector<Level>& levels() const { return levels_; }

    // `key` is a serialised key.
    bool Matches(std::string_view key) const;

    // nullopt unless the key matches; else one element per {name}, in the order of the pattern.
    std::optional<std::vector<Capture>> Captures(std::string_view key) const;

    // True if every key matches, so that nothing needs to be compared.
    bool MatchesEverything() const;

    // Where to look: every key that matches lies in one of these ranges, which are few (at most 16), disjoint
    // and ascending. Not every key in them matches. A search walks them and asks Matches.
    // (One range is not enough: user:1 also matches user/1 and, the leading ':' skipped, :user:1.)
    std::vector<Range> Ranges() const;

    // The longest string with which every matching key begins. Often empty because of keys with a leading
    // ':', so searches use Ranges.
    std::string LiteralPrefix() const;

  private:
    Pattern() = default;

    std::string text_;
    std::vector<Level> levels_;
};

// Takes the levels off a serialised key one by one, as Pattern sees them:
//     for (KeyLevels levels(key); levels.Next(&level);) ...
class KeyLevels {
  public:
    explicit KeyLevels(std::string_view key) : rest_(key) {
        if (!rest_.empty() && rest_.front() == ':') {
            rest_.remove_prefix(1);
        }
    }

    // False when there are no more. Every key has at least one level; a level may be empty.
    bool Next(std::string_view* level) {
        if (done_) {
            return false;
        }
        size_t end = rest_.find_first_of("/:");
        *level = rest_.substr(0, end);
        done_ = end == std::string_view::npos;
        rest_.remove_prefix(done_ ? rest_.size() : end + 1);
        return true;
    }

    // What Next has not taken yet, without the separator before it.
    std::string_view rest() const { return rest_; }

  private:
    std::string_view rest_;
    bool done_ = false;
};

}  // namespace kvs
