// A pattern and, behind the first line feed, a key: matching, captures and ranges agree.
#include <algorithm>

#include "kvs/codec/key.h"
#include "kvs/pattern/pattern.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace kvs;
    std::string_view input = AsText(data, size);
    size_t end = std::min(input.find('\n'), input.size());
    std::string_view key = input.substr(std::min(end + 1, input.size()));
    Result<Pattern> parsed = Pattern::Parse(input.substr(0, end));
    if (!parsed.ok()) {
        Require(parsed.error().code() == ErrorCode::kInvalidArgument);
        return 0;
    }
    const Pattern& pattern = parsed.value();
    bool matches = pattern.Matches(key);
    auto captures = pattern.Captures(key);
    Require(captures.has_value() == matches);
    Require(matches || !pattern.MatchesEverything());
    auto ranges = pattern.Ranges();
    Require(!ranges.empty() && ranges.size() <= 16);
    if (!matches || !ValidateKey(key).ok()) {
        return 0;
    }
    Require(std::any_of(ranges.begin(), ranges.end(), [&](const Pattern::Range& range) {
        return key >= range.start && (range.end.empty() || key < range.end);
    }));
    Require(key.starts_with(pattern.LiteralPrefix()));
    for (const Pattern::Capture& capture : *captures) {
        Require(capture.value.find_first_of("/:") == std::string_view::npos);
    }
    return 0;
}
