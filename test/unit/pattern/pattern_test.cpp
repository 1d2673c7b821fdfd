#include "kvs/pattern/pattern.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "kvs/codec/key.h"

namespace kvs {
namespace {

Pattern Make(std::string_view text) {
    return Pattern::Parse(text).OrThrow();
}

void ExpectMatches(std::string_view pattern, std::vector<std::string> yes, std::vector<std::string> no) {
    for (const std::string& key : yes) {
        EXPECT_TRUE(Make(pattern).Matches(key)) << pattern << " " << key;
    }
    for (const std::string& key : no) {
        EXPECT_FALSE(Make(pattern).Matches(key)) << pattern << " " << key;
    }
}

TEST(Pattern, Literal) {
    ExpectMatches("user:1", {"user:1", "user/1", ":user:1"},
                  {"user", "user:2", "user:1:2", "user:1/", "user:", "xuser:1"});
    ExpectMatches(":user:1", {"user:1", ":user:1"}, {"::user:1"});
    ExpectMatches("settings", {"settings"}, {"settings2", "a:settings", "settings:a"});
    ExpectMatches("a%2Fb:k", {"a%2Fb:k"}, {"a/b:k"});
}

TEST(Pattern, AnyLevel) {
    ExpectMatches("user:+", {"user:1", "user/1", "user:", ":user:x"}, {"user", "user:1:2", "users:1"});
    ExpectMatches("+", {"a", ""}, {"a:b", "a/b"});
    ExpectMatches("+/+", {"a:b", "a/b", "/"}, {"a", "a:b:c"});
    ExpectMatches("a/+/c:+", {"a/b/c:d", "a:b:c:d", "a//c:d"}, {"a/b/c", "a/b/x:d"});
}

TEST(Pattern, Rest) {
    ExpectMatches("user:#", {"user:1", "user:1:2", "user/a/b:c", "user", ":user:1"},
                  {"users", "users:1", "x/user:1"});
    ExpectMatches("#", {"a", "a:b", ":a:b", ""}, {});
    ExpectMatches("+/#", {"a", "a:b", "a/b:c"}, {});
    ExpectMatches("a/+/#", {"a/b", "a/b:c"}, {"a"});
}

TEST(Pattern, Prefix) {
    ExpectMatches("user:12*", {"user:12", "user:123", "user:12/3:4", "user/12a"},
                  {"user:1", "user:21", "user"});
    ExpectMatches("user:*", {"user:", "user:1", "user:1/2"}, {"user", "users:1"});
    ExpectMatches("us*", {"us", "user", "user:1", ":user:1"}, {"u", "xus"});
    ExpectMatches("*", {"a", "a:b"}, {});
    ExpectMatches("user:{id}:*", {"user:1:a", "user:1:a/b"}, {"user:1", "user"});
}

TEST(Pattern, Captures) {
    auto captures = [](std::string_view pattern, std::string_view key) {
        std::string text;
        Pattern parsed = Make(pattern);
        auto found = parsed.Captures(key);
        if (!found) {
            return std::string("no match");
        }
        for (const Pattern::Capture& capture : *found) {
            text += std::string(capture.name) + "=" + std::string(capture.value) + ";";
        }
        return text;
    };
    EXPECT_EQ(captures("user:{id}:*", "user:7:x"), "id=7;");
    EXPECT_EQ(captures("{a}/{b}:{c_1}", "x/y:z"), "a=x;b=y;c_1=z;");
    EXPECT_EQ(captures("{a}/#", "x"), "a=x;");
    EXPECT_EQ(captures("user:1", "user:1"), "");
    EXPECT_EQ(captures("user:{id}", "user:7:x"), "no match");
    EXPECT_EQ(captures("{a}:x", "y:z"), "no match");
}

TEST(Pattern, CapturesPointIntoPatternAndKey) {
    Pattern pattern = Make("user:{id}");
    std::string key = "user:7";
    auto captures = pattern.Captures(key);
    ASSERT_TRUE(captures);
    EXPECT_EQ((*captures)[0].value.data(), key.data() + 5);
    EXPECT_EQ((*captures)[0].name.data(), pattern.levels()[1].text.data());
}

TEST(Pattern, Malformed) {
    for (const char* text :
         {"",      ":",     "a/#/b", "#/a",  "#:#",  "a+",     "+a",    "a/b+c",   "#a",
          "a#",    "++",    "+#",    "*a",   "a*b",  "a*/b",   "**",    "a**",     "*/a",
          "{",     "}",     "{}",    "a{b}", "{a}b", "{a}{b}", "{a/b}", "{1}",     "{a-b}",
          "{a b}", "{{a}}", "{+}",   "{#}",  "{*}",  "{a}*",   "a{*",   "{a}/{a}", "{a}/x/{b}:{a}",
          "+*",    "#*"}) {
        Result<Pattern> pattern = Pattern::Parse(text);
        ASSERT_FALSE(pattern.ok()) << text;
        EXPECT_EQ(pattern.error().code(), ErrorCode::kInvalidArgument) << text;
    }
    EXPECT_FALSE(Pattern::Parse(std::string_view("a\0b", 3)).ok());
    EXPECT_TRUE(Pattern::Parse(std::string(kMaxKeySize, 'x')).ok());
    EXPECT_FALSE(Pattern::Parse(std::string(kMaxKeySize + 1, 'x')).ok());
}

TEST(Pattern, ErrorsNameThePattern) {
    Error error = Pattern::Parse("a/#/b").error();
    EXPECT_STREQ(error.what(), "pattern \"a/#/b\" has levels behind a \"#\"");
    EXPECT_EQ(error.hint(), "\"#\" may only be the last level.");
}

TEST(Pattern, MatchesEverything) {
    for (const char* text : {"#", "*", "+/#", "{a}:#", ":#"}) {
        EXPECT_TRUE(Make(text).MatchesEverything()) << text;
    }
    for (const char* text : {"+", "a", "a*", "a/#", "+/+/#", "+/*", "{a}", "+/a"}) {
        EXPECT_FALSE(Make(text).MatchesEverything()) << text;
    }
}

TEST(Pattern, Ranges) {
    using Ranges = std::vector<Pattern::Range>;
    EXPECT_EQ(Make("#").Ranges(), (Ranges{{"", ""}}));
    EXPECT_EQ(Make("+/b").Ranges(), (Ranges{{"", ""}}));
    EXPECT_EQ(Make("user:*").Ranges(),
              (Ranges{{":user/", ":user0"}, {":user:", ":user;"}, {"user/", "user0"}, {"user:", "user;"}}));
    EXPECT_EQ(Make("user:+").Ranges(), (Ranges{{":user/", ":user;"}, {"user/", "user;"}}));
    EXPECT_EQ(Make("us*").Ranges(), (Ranges{{":us", ":ut"}, {"us", "ut"}}));
    EXPECT_EQ(Make("\xff*").Ranges(), (Ranges{{":\xff", ";"}, {"\xff", ""}}));
    std::string nul(1, '\0');
    EXPECT_EQ(Make("k").Ranges(), (Ranges{{":k", ":k" + nul}, {"k", "k" + nul}}));
    EXPECT_EQ(Make("u:#").Ranges(),
              (Ranges{{":u", ":u" + nul}, {":u/", ":u;"}, {"u", "u" + nul}, {"u/", "u;"}}));
    EXPECT_EQ(Make("a/b:c/d/e:f").Ranges().size(), 8u);
    EXPECT_EQ(Make("a/b:c:#").Ranges().size(), 16u);
    EXPECT_EQ(Make("a/b:c*").Ranges().size(), 8u);
    EXPECT_EQ(Make("a/b/c:d*").Ranges().size(), 8u);
    EXPECT_EQ(Make("a/b/c:d*").Ranges().back(), (Pattern::Range{"a:b:c/", "a:b:c;"}));
    // The first level is empty; what begins with ":" lies in the range of what follows it.
    EXPECT_EQ(Make("::+").Ranges(), (Ranges{{"/", ";"}}));
}

TEST(Pattern, LiteralPrefix) {
    EXPECT_EQ(Make("settings").LiteralPrefix(), "settings");
    EXPECT_EQ(Make("user:1").LiteralPrefix(), "");
    EXPECT_EQ(Make("user*").LiteralPrefix(), "");
    EXPECT_EQ(Make("#").LiteralPrefix(), "");
}

TEST(KeyLevels, TakesLevelsOff) {
    std::string_view level;
    KeyLevels levels(":a/b:");
    ASSERT_TRUE(levels.Next(&level));
    EXPECT_EQ(level, "a");
    EXPECT_EQ(levels.rest(), "b:");
    ASSERT_TRUE(levels.Next(&level));
    EXPECT_EQ(level, "b");
    ASSERT_TRUE(levels.Next(&level));
    EXPECT_EQ(level, "");
    EXPECT_FALSE(levels.Next(&level));
}

// --- against the definition ---

std::vector<std::string> SplitLevels(std::string text) {
    if (!text.empty() && text[0] == ':') {
        text.erase(0, 1);
    }
    std::vector<std::string> levels(1);
    for (char c : text) {
        if (c == '/' || c == ':') {
            levels.emplace_back();
        } else {
            levels.back() += c;
        }
    }
    return levels;
}

// The definition in pattern.h, level by level from the end of the pattern.
bool NaiveMatches(const std::vector<std::string>& pattern, size_t p, const std::vector<std::string>& key,
                  size_t k) {
    if (p == pattern.size()) {
        return k == key.size();
    }
    const std::string& level = pattern[p];
    if (level == "#") {
        return true;
    }
    if (k == key.size()) {
        return false;
    }
    if (!level.empty() && level.back() == '*') {
        return key[k].compare(0, level.size() - 1, level, 0, level.size() - 1) == 0;
    }
    bool one = level == "+" || (!level.empty() && level[0] == '{') || level == key[k];
    return one && NaiveMatches(pattern, p + 1, key, k + 1);
}

rc::Gen<std::string> AnyKey() {
    return rc::gen::suchThat(rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::weightedElement<char>(
                                 {{5, 'a'}, {3, 'b'}, {2, '0'}, {3, '/'}, {3, ':'}, {1, '\xff'}}))),
                             [](const std::string& key) { return ValidateKey(key).ok(); });
}

// A pattern made of a key, so that matches are common: levels become wildcards, the end becomes # or *.
std::string PatternFrom(const std::string& key) {
    std::vector<std::string> levels = SplitLevels(key);
    // A ':' in front is skipped; without it, an empty first level would be.
    std::string text = levels[0].empty() ? ":" : *rc::gen::element<std::string>("", ":");
    int names = 0;
    for (size_t i = 0; i < levels.size(); i++) {
        if (i > 0) {
            text += *rc::gen::element('/', ':');
        }
        switch (*rc::gen::inRange(0, 8)) {
            case 0:
                text += '+';
                break;
            case 1:
                text += "{n" + std::to_string(names++) + "}";
                break;
            case 2:
                return text + "#";
            case 3:
                return text + levels[i].substr(0, *rc::gen::inRange<size_t>(0, levels[i].size() + 1)) + "*";
            default:
                text += levels[i];
        }
    }
    return text;
}

RC_GTEST_PROP(Pattern, AgreesWithTheDefinition, ()) {
    std::string origin = *AnyKey();
    std::string text = PatternFrom(origin);
    RC_PRE(!text.empty() && text != ":");
    Pattern pattern = Make(text);
    RC_ASSERT(pattern.Matches(origin));
    for (const std::string& key : {origin, *AnyKey(), *AnyKey()}) {
        bool matches = NaiveMatches(SplitLevels(text), 0, SplitLevels(key), 0);
        RC_ASSERT(pattern.Matches(key) == matches);
        RC_ASSERT(pattern.Captures(key).has_value() == matches);
        RC_ASSERT((!pattern.MatchesEverything() || matches));
    }
}

RC_GTEST_PROP(Pattern, RangesHoldEveryMatch, ()) {
    std::string origin = *AnyKey();
    std::string text = PatternFrom(origin);
    RC_PRE(!text.empty() && text != ":");
    Pattern pattern = Make(text);
    std::vector<Pattern::Range> ranges = pattern.Ranges();
    RC_ASSERT((!ranges.empty() && ranges.size() <= 16u));
    for (size_t i = 0; i < ranges.size(); i++) {
        RC_ASSERT((ranges[i].end.empty() ? i + 1 == ranges.size() : ranges[i].start < ranges[i].end));
        RC_ASSERT((i == 0 || ranges[i - 1].end < ranges[i].start));
    }
    // The origin with other separators, with and without a leading ':'.
    std::string varied = origin;
    for (char& c : varied) {
        if (c == '/' || c == ':') {
            c = *rc::gen::element('/', ':');
        }
    }
    for (const std::string& key : {origin, varied, ":" + varied, *AnyKey()}) {
        if (!ValidateKey(key).ok() || !pattern.Matches(key)) {
            continue;
        }
        RC_ASSERT(std::any_of(ranges.begin(), ranges.end(), [&](const Pattern::Range& range) {
            return key >= range.start && (range.end.empty() || key < range.end);
        }));
        RC_ASSERT(key.starts_with(pattern.LiteralPrefix()));
    }
}

RC_GTEST_PROP(Pattern, ParseNeverCrashes, ()) {
    std::string text =
        *rc::gen::container<std::string>(rc::gen::element('a', '/', ':', '+', '#', '*', '{', '}', '\xff'));
    Result<Pattern> pattern = Pattern::Parse(text);
    if (pattern.ok()) {
        RC_ASSERT(pattern.value().text() == text);
        RC_ASSERT(pattern.value().levels().size() == SplitLevels(text).size());
    } else {
        RC_ASSERT(pattern.error().code() == ErrorCode::kInvalidArgument);
    }
}

}  // namespace
}  // namespace kvs
