// Patterns by which keys and the values of their levels determine one another.
//
//     users/active:{id}    users/active:42  <->  {"42"}
//     {tenant}/{kind}:x    a%2Fb/c:x        <->  {"a/b", "c"}
//
// A level of the namespace, what stands before the first ':', is escaped in the key and not in the value; one
// of the key part is the same in both. So a value of the key part must not hold a separator.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/error.h"
#include "kvs/pattern/pattern.h"

namespace kvs {

// Immutable and copyable.
class KeyTemplate {
  public:
    // Errors: kInvalidArgument, also for a pattern with wildcards other than {name}, and for one as which no
    // key is written, as :user/{id}.
    static Result<KeyTemplate> Parse(std::string_view text);

    const Pattern& pattern() const { return pattern_; }
    const std::vector<std::string>& names() const { return names_; }  // in their order in the pattern

    // Of a {name}; nullopt if there is none.
    std::optional<size_t> IndexOf(std::string_view name) const;

    // The values of the levels; nullopt if the key does not match, or is not the one that Format makes of
    // them (user/1 matches user:{id}, too).
    std::optional<std::vector<std::string>> Values(std::string_view key) const;

    // The key; nullopt if Values would not give the same back. One value for each name.
    std::optional<std::string> Format(const std::vector<std::string>& values) const;

  private:
    // A piece of the pattern: text, or the level of a name.
    struct Part {
        std::string text;
        bool is_level = false;
        bool is_escaped = false;
    };

    explicit KeyTemplate(Pattern pattern) : pattern_(std::move(pattern)) {}
    std::string Join(const std::vector<std::string>& values) const;
    std::vector<std::string> Unescaped(const std::vector<Pattern::Capture>& captures) const;

    Pattern pattern_;
    std::vector<std::string> names_;
    std::vector<Part> parts_;
};

}  // namespace kvs
