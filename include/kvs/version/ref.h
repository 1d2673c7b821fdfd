// Refs: how a person names a state of the store.
//
//     ref   = base step* | "@{" moment "}" step*
//     base  = "HEAD" | "WORKING" | branch or tag name | 4 to 64 hexadecimal digits
//     step  = "~" [n] | "^" [n] | "@{" moment "}"
//
// "@{...}" stands directly behind the base, once, and alone means the session's branch; a hash has none.
// WORKING takes no step. Parsing does not look anything up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/error.h"

namespace kvs {

constexpr size_t kMaxRefNameSize = 255;
constexpr size_t kMaxRefSize = 1024;
constexpr uint64_t kMaxRefNumber = 1000000000;  // of ~n, ^n, @{n}

struct RefStep {
    enum class Kind : uint8_t {
        kAncestor,     // ~n: n times the first parent
        kParent,       // ^n: the n-th parent; 0 is the commit itself
        kReflogEntry,  // @{n}: where the branch stood n moves ago
        kMoment,       // @{text}: where the branch stood at that moment
    };

    Kind kind = Kind::kAncestor;
    uint64_t number = 0;  // of the first three
    std::string moment;   // of kMoment; not empty, not only digits, not interpreted here

    bool operator==(const RefStep&) const = default;
};

struct Ref {
    enum class Base : uint8_t {
        kHead,
        kWorking,
        kName,     // name: a branch or tag
        kHash,     // name: lower-case hexadecimal digits, possibly abbreviated
        kSession,  // the session's branch, of "@{...}" alone
    };

    Base base = Base::kHead;
    std::string name;
    std::vector<RefStep> steps;

    bool operator==(const Ref&) const = default;

    // Parse(ToText()) gives the same ref.
    std::string ToText() const;
};

// Errors: kInvalidArgument.
Result<Ref> ParseRef(std::string_view text);

// Whether a branch or tag may be called this; git's check-ref-format in spirit. 1 to 255 bytes of UTF-8; no
// control or invisible characters, none that turn directions, space or any of ~^:?*[\ ; no "..", "//" or
// "@{"; no part between slashes that begins with '.' or ends with ".lock"; not beginning with '-' or '/', not
// ending with '/' or '.'; not "@", HEAD or WORKING (of any case), not something that reads as a hash. Errors:
// kInvalidArgument.
Status ValidateRefName(std::string_view name);

}  // namespace kvs
