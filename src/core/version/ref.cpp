#include "kvs/version/ref.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

#include "kvs/util/quote.h"

namespace kvs {

namespace {

constexpr std::string_view kHead = "HEAD";
constexpr std::string_view kWorking = "WORKING";
constexpr size_t kMinHashDigits = 4;
constexpr size_t kMaxHashDigits = 64;

constexpr char kGrammarHint[] =
    "A ref is HEAD, WORKING, a branch, a tag or a commit hash, followed by any of ~n, ^n, or by @{n} or "
    "@{timestamp}.";

Error BadRef(std::string_view text, const std::string& what) {
    return {ErrorCode::kInvalidArgument, "ref " + Quoted(text) + " " + what, kGrammarHint};
}

Error BadName(std::string_view name, const std::string& what,
              const char* hint = "Branches and tags follow git's rules for names.") {
    return {ErrorCode::kInvalidArgument, "name " + Quoted(name) + " " + what, hint};
}

bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}
bool IsHexDigit(char c) {
    return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
char ToLower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
char ToUpper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool ReadsAsHash(std::string_view name) {
    return name.size() >= kMinHashDigits && name.size() <= kMaxHashDigits &&
           std::all_of(name.begin(), name.end(), IsHexDigit);
}

// nullopt unless `digits` is a number of 0 to kMaxRefNumber.
std::optional<uint64_t> RefNumber(std::string_view digits) {
    uint64_t number = 0;
    const char* end = digits.data() + digits.size();
    auto [stop, status] = std::from_chars(digits.data(), end, number);
    if (digits.empty() || status != std::errc() || stop != end || number > kMaxRefNumber) {
        return std::nullopt;
    }
    return number;
}

// "~n" or "^n" at the front of `rest`; takes it off.
Result<RefStep> TakeAncestry(std::string_view text, std::string_view& rest) {
    RefStep step;
    step.kind = rest.front() == '~' ? RefStep::Kind::kAncestor : RefStep::Kind::kParent;
    rest.remove_prefix(1);
    size_t count = static_cast<size_t>(std::find_if_not(rest.begin(), rest.end(), IsDigit) - rest.begin());
    std::optional<uint64_t> number = count == 0 ? 1 : RefNumber(rest.substr(0, count));
    if (!number) {
        return BadRef(text, "counts too far");
    }
    step.number = *number;
    rest.remove_prefix(count);
    return step;
}

// "@{...}" at the front of `rest`; takes it off.
Result<RefStep> TakeMoment(std::string_view text, std::string_view& rest) {
    size_t end = rest.find('}');
    if (end == std::string_view::npos) {
        return BadRef(text, "has no \"}\" behind its \"@{\"");
    }
    std::string_view moment = rest.substr(2, end - 2);
    rest.remove_prefix(end + 1);
    RefStep step;
    if (moment.empty()) {
        return BadRef(text, "has nothing in its \"@{}\"");
    }
    if (std::all_of(moment.begin(), moment.end(), IsDigit)) {
        std::optional<uint64_t> number = RefNumber(moment);
        if (!number) {
            return BadRef(text, "counts too far");
        }
        step.kind = RefStep::Kind::kReflogEntry;
        step.number = *number;
    } else {
        step.kind = RefStep::Kind::kMoment;
        step.moment = moment;
    }
    return step;
}

Status SetBase(std::string_view text, std::string_view base, Ref* ref) {
    if (base == kHead) {
        ref->base = Ref::Base::kHead;
    } else if (base == kWorking) {
        ref->base = Ref::Base::kWorking;
    } else if (base.empty()) {
        ref->base = Ref::Base::kSession;
    } else if (ReadsAsHash(base)) {
        ref->base = Ref::Base::kHash;
        ref->name.resize(base.size());
        std::transform(base.begin(), base.end(), ref->name.begin(), ToLower);
    } else if (Status status = ValidateRefName(base); status.ok()) {
        ref->base = Ref::Base::kName;
        ref->name = base;
    } else {
        return Error(ErrorCode::kInvalidArgument, "ref " + Quoted(text) + " does not begin with a valid name",
                     kGrammarHint, status.error().what());
    }
    return Ok();
}

// Characters that are not seen, or that turn the direction of others: names that look alike would differ.
bool IsUnseen(uint32_t c) {
    struct Range {
        uint32_t first, last;
    };
    constexpr Range kUnseen[] = {
        {0x80, 0x9f},        // C1 controls
        {0xad, 0xad},        // soft hyphen
        {0x61c, 0x61c},      // Arabic letter mark
        {0x180e, 0x180e},    // Mongolian vowel separator
        {0x200b, 0x200f},    // zero width, marks of direction
        {0x2028, 0x202e},    // separators of lines and paragraphs, embeddings and overrides
        {0x2060, 0x206f},    // word joiner, invisible operators, isolates
        {0xfeff, 0xfeff},    // byte order mark
        {0xe0000, 0xe007f},  // tags
    };
    return std::any_of(std::begin(kUnseen), std::end(kUnseen),
                       [&](const Range& range) { return c >= range.first && c <= range.last; });
}

// Of a text in UTF-8.
bool HasUnseenCharacter(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        const auto lead = static_cast<uint8_t>(text[i]);
        const size_t size = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        uint32_t c = size == 1 ? lead & 0x7f : lead & (0xff >> (size + 1));
        for (size_t k = 1; k < size && i + k < text.size(); k++) {
            c = c << 6 | (static_cast<uint8_t>(text[i + k]) & 0x3f);
        }
        if (IsUnseen(c)) {
            return true;
        }
        i += size;
    }
    return false;
}

// What is wrong with one part of a name, between slashes; empty if nothing is.
const char* PartFault(std::string_view part) {
    if (part.empty()) {
        return "has an empty part between slashes";
    }
    if (part.front() == '.') {
        return "has a part that begins with \".\"";
    }
    if (part.ends_with(".lock")) {
        return "has a part that ends with \".lock\"";
    }
    return "";
}

}  // namespace

Result<Ref> ParseRef(std::string_view text) {
    if (text.empty()) {
        return Error(ErrorCode::kInvalidArgument, "ref must not be empty", kGrammarHint);
    }
    if (text.size() > kMaxRefSize) {
        return BadRef(text, "is too long: " + std::to_string(text.size()) + " bytes");
    }
    if (text.find('\0') != std::string_view::npos) {
        return BadRef(text, "contains a NUL byte");
    }
    size_t base_size = std::min({text.find_first_of("~^"), text.find("@{"), text.size()});
    std::string_view rest = text.substr(base_size);
    Ref ref;
    if (Status status = SetBase(text, text.substr(0, base_size), &ref); !status.ok()) {
        return status.error();
    }

    if (rest.starts_with("@{")) {
        if (ref.base == Ref::Base::kHash) {
            return BadRef(text, "asks for the past of a hash");
        }
        Result<RefStep> step = TakeMoment(text, rest);
        if (!step.ok()) {
            return step.error();
        }
        ref.steps.push_back(std::move(step).value());
    } else if (ref.base == Ref::Base::kSession) {
        return BadRef(text, "does not begin with a name");
    }
    while (!rest.empty()) {
        if (rest.front() != '~' && rest.front() != '^') {
            return BadRef(text, "cannot be understood from " + Quoted(rest) + " on");
        }
        Result<RefStep> step = TakeAncestry(text, rest);
        if (!step.ok()) {
            return step.error();
        }
        ref.steps.push_back(std::move(step).value());
    }
    if (ref.base == Ref::Base::kWorking && !ref.steps.empty()) {
        return BadRef(text, "goes back from WORKING, which is no commit");
    }
    return ref;
}

std::string Ref::ToText() const {
    std::string text;
    switch (base) {
        case Base::kHead:
            text = kHead;
            break;
        case Base::kWorking:
            text = kWorking;
            break;
        case Base::kName:
        case Base::kHash:
            text = name;
            break;
        case Base::kSession:
            break;
    }
    for (const RefStep& step : steps) {
        switch (step.kind) {
            case RefStep::Kind::kAncestor:
                text += "~" + std::to_string(step.number);
                break;
            case RefStep::Kind::kParent:
                text += "^" + std::to_string(step.number);
                break;
            case RefStep::Kind::kReflogEntry:
                text += "@{" + std::to_string(step.number) + "}";
                break;
            case RefStep::Kind::kMoment:
                text += "@{" + step.moment + "}";
                break;
        }
    }
    return text;
}

Status ValidateRefName(std::string_view name) {
    if (name.empty()) {
        return Error(ErrorCode::kInvalidArgument, "name of a branch or tag must not be empty");
    }
    if (name.size() > kMaxRefNameSize) {
        return BadName(name, "is too long: " + std::to_string(name.size()) + " bytes",
                       "The name of a branch or tag has at most 255 bytes.");
    }
    for (char c : name) {
        auto byte = static_cast<uint8_t>(c);
        if (byte <= 0x20 || byte == 0x7f) {
            return BadName(name, "contains a space or control character");
        }
        if (std::string_view("~^:?*[\\").find(c) != std::string_view::npos) {
            return BadName(name, std::string("contains \"") + c + "\"");
        }
    }
    if (HasUnseenCharacter(name)) {
        return BadName(name, "contains an invisible character");
    }
    for (std::string_view sequence : {"..", "@{"}) {
        if (name.find(sequence) != std::string_view::npos) {
            return BadName(name, "contains \"" + std::string(sequence) + "\"");
        }
    }
    if (name.front() == '-') {
        return BadName(name, "begins with \"-\"");
    }
    if (name.back() == '.') {
        return BadName(name, "ends with \".\"");
    }
    for (size_t start = 0; start <= name.size();) {
        size_t end = std::min(name.find('/', start), name.size());
        if (const char* fault = PartFault(name.substr(start, end - start)); *fault != '\0') {
            return BadName(name, fault);
        }
        start = end + 1;
    }
    std::string upper(name);
    std::transform(upper.begin(), upper.end(), upper.begin(), ToUpper);
    if (upper == kHead || upper == kWorking || name == "@") {
        return BadName(name, "has a meaning of its own",
                       "HEAD, WORKING and @ name no branch or tag, in upper or lower case.");
    }
    if (ReadsAsHash(name)) {
        return BadName(
            name, "reads as a commit hash",
            "Hexadecimal digits alone, 4 to 64 of them, are taken for a hash: add another character.");
    }
    return Ok();
}

}  // namespace kvs
