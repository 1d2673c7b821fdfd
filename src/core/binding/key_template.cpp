#include "kvs/binding/key_template.h"

#include <algorithm>

#include "kvs/codec/key.h"
#include "kvs/util/quote.h"

namespace kvs {

Result<KeyTemplate> KeyTemplate::Parse(std::string_view text) {
    Result<Pattern> pattern = Pattern::Parse(text);
    if (!pattern.ok()) {
        return pattern.error();
    }
    KeyTemplate result(std::move(pattern).value());
    const std::string& whole = result.pattern_.text();
    const size_t leading = whole.empty() || whole.front() != ':' ? 0 : 1;
    const size_t colon = leading == 1 ? 0 : whole.find(':');
    size_t at = leading;
    result.parts_.push_back({whole.substr(0, leading)});
    for (const Pattern::Level& level : result.pattern_.levels()) {
        const size_t end = std::min(whole.find_first_of("/:", at), whole.size());
        switch (level.kind) {
            case Pattern::LevelKind::kLiteral:
                result.parts_.push_back({whole.substr(at, end - at)});
                break;
            case Pattern::LevelKind::kCapture:
                result.names_.push_back(level.text);
                result.parts_.push_back({"", true, colon != std::string::npos && at < colon});
                break;
            default:
                return Error(ErrorCode::kInvalidArgument,
                             "pattern " + Quoted(text) + " does not tell which keys it means",
                             "Use {name} for each level that varies.");
        }
        if (end < whole.size()) {
            result.parts_.push_back({whole.substr(end, 1)});
        }
        at = end + 1;
    }
    if (!result.Format(std::vector<std::string>(result.names_.size(), "x"))) {
        return Error(ErrorCode::kInvalidArgument, "no key is written as pattern " + Quoted(text),
                     "Write it as its keys are: namespace:key, with a leading \":\" only for keys without "
                     "namespace that contain another one.");
    }
    return result;
}

std::optional<size_t> KeyTemplate::IndexOf(std::string_view name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    return found == names_.end() ? std::nullopt
                                 : std::optional<size_t>(static_cast<size_t>(found - names_.begin()));
}

std::string KeyTemplate::Join(const std::vector<std::string>& values) const {
    std::string key;
    size_t next = 0;
    for (const Part& part : parts_) {
        if (!part.is_level) {
            key += part.text;
        } else if (part.is_escaped) {
            AppendSegment(key, values[next++]);
        } else {
            key += values[next++];
        }
    }
    return key;
}

std::vector<std::string> KeyTemplate::Unescaped(const std::vector<Pattern::Capture>& captures) const {
    std::vector<std::string> values;
    for (const Part& part : parts_) {
        if (part.is_level) {
            const std::string_view level = captures[values.size()].value;
            values.push_back(part.is_escaped ? UnescapeSegment(level) : std::string(level));
        }
    }
    return values;
}

std::optional<std::vector<std::string>> KeyTemplate::Values(std::string_view key) const {
    const std::optional<std::vector<Pattern::Capture>> captures = pattern_.Captures(key);
    if (!captures) {
        return std::nullopt;
    }
    std::vector<std::string> values = Unescaped(*captures);
    return Join(values) == key ? std::optional(std::move(values)) : std::nullopt;
}

std::optional<std::string> KeyTemplate::Format(const std::vector<std::string>& values) const {
    if (values.size() != names_.size()) {
        return std::nullopt;
    }
    std::string key = Join(values);
    const std::optional<std::vector<Pattern::Capture>> captures = pattern_.Captures(key);
    const bool is_key = captures && Unescaped(*captures) == values && ValidateKey(key).ok();
    return is_key ? std::optional(std::move(key)) : std::nullopt;
}

}  // namespace kvs
