#include "kvs/event/pattern_trie.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace kvs {
namespace {

Pattern Make(std::string_view text) {
    return Pattern::Parse(text).OrThrow();
}

std::vector<uint64_t> Matches(const PatternTrie& trie, std::string_view key) {
    std::vector<uint64_t> numbers;
    trie.Match(key, &numbers);
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

// One pattern alone, both ways.
void ExpectMatch(std::string_view pattern, std::string_view key, bool matches) {
    PatternTrie trie;
    trie.Add(Make(pattern), 1);
    EXPECT_EQ(Matches(trie, key).size(), matches ? 1 : 0) << pattern << " " << key;
    EXPECT_EQ(Make(pattern).Matches(key), matches) << pattern << " " << key;
}

// The examples of MQTT 5.0, 4.7.1.2 and 4.7.1.3, which hold as they stand but for levels that are empty at
// the front.
TEST(PatternTrie, RulesOfMqtt) {
    for (const char* topic :
         {"sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"}) {
        ExpectMatch("sport/tennis/player1/#", topic, true);
        ExpectMatch("sport/#", topic, true);
        ExpectMatch("#", topic, true);
    }
    ExpectMatch("sport/#", "sport", true);
    ExpectMatch("sport/tennis/+", "sport/tennis/player1", true);
    ExpectMatch("sport/tennis/+", "sport/tennis/player2", true);
    ExpectMatch("sport/tennis/+", "sport/tennis/player1/ranking", false);
    ExpectMatch("sport/+", "sport", false);
    ExpectMatch("sport/+", "sport/", true);
    ExpectMatch("+/+", "/finance", true);
    ExpectMatch("/+", "/finance", true);
    ExpectMatch("+", "/finance", false);
    ExpectMatch("+/tennis/#", "sport/tennis/player1", true);
    ExpectMatch("sport/+/player1", "sport/tennis/player1", true);
    for (const char* pattern : {"sport/tennis#", "sport/tennis/#/ranking", "sport+"}) {
        EXPECT_FALSE(Pattern::Parse(pattern).ok()) << pattern;
    }
}

TEST(PatternTrie, ManyPatternsOfOneKey) {
    PatternTrie trie;
    const std::vector<std::string> patterns = {"user:1",  "user:+",   "user:{id}", "user:#",     "user:*",
                                               "user:1*", "u*",       "#",         "user:2",     "user",
                                               "+/1",     "user:1:#", "user:11",   "user:1:+/+", "user:10*"};
    for (size_t i = 0; i < patterns.size(); i++) {
        trie.Add(Make(patterns[i]), i);
    }
    EXPECT_EQ(Matches(trie, "user:1"), (std::vector<uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 10, 11}));
    EXPECT_EQ(Matches(trie, ":user/1"), Matches(trie, "user:1"));
    EXPECT_EQ(Matches(trie, "user"), (std::vector<uint64_t>{3, 6, 7, 9}));
    EXPECT_EQ(Matches(trie, ""), (std::vector<uint64_t>{7}));
}

TEST(PatternTrie, ANumberMayHaveSeveralPatternsAndAPatternSeveralNumbers) {
    PatternTrie trie;
    trie.Add(Make("a:+"), 1);
    trie.Add(Make("a:#"), 1);
    trie.Add(Make("a:+"), 2);
    trie.Add(Make("a:+"), 2);
    EXPECT_EQ(Matches(trie, "a:b"), (std::vector<uint64_t>{1, 1, 2, 2}));
    EXPECT_TRUE(trie.Remove(Make("a:{name}"), 2)) << "+ and {name} match the same";
    EXPECT_TRUE(trie.Remove(Make("a:#"), 1));
    EXPECT_EQ(Matches(trie, "a:b"), (std::vector<uint64_t>{1, 2}));
    EXPECT_FALSE(trie.Remove(Make("a:#"), 1));
    EXPECT_FALSE(trie.Remove(Make("a:b"), 1));
    EXPECT_FALSE(trie.Remove(Make("a:b*"), 1));
    EXPECT_FALSE(trie.Remove(Make("b:+"), 1));
    EXPECT_EQ(trie.size(), 2u);
}

// Few different levels, so that much matches.
rc::Gen<std::string> AnyLevel() {
    return rc::gen::element<std::string>("a", "b", "ab", "abc", "");
}

std::string Joined(const std::vector<std::string>& levels) {
    std::string text = levels.front();
    for (size_t i = 1; i < levels.size(); i++) {
        text += (i % 2 == 0 ? "/" : ":") + levels[i];
    }
    return text.empty() ? "a" : text;
}

rc::Gen<std::string> AnyKey() {
    return rc::gen::map(
        rc::gen::resize(5, rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(AnyLevel()))),
        Joined);
}

rc::Gen<std::string> AnyPattern() {
    return rc::gen::map(
        rc::gen::pair(rc::gen::resize(4, rc::gen::container<std::vector<std::string>>(rc::gen::oneOf(
                                             AnyLevel(), AnyLevel(), rc::gen::just(std::string("+"))))),
                      rc::gen::element<std::string>("", "#", "*", "a*", "ab*", "+", "{x}")),
        [](std::pair<std::vector<std::string>, std::string> parts) {
            if (!parts.second.empty() || parts.first.empty()) {
                parts.first.push_back(parts.second.empty() ? "a" : parts.second);
            }
            // ":" alone is no pattern.
            parts.first.front() = parts.first.front().empty() ? "b" : parts.first.front();
            return Joined(parts.first);
        });
}

RC_GTEST_PROP(PatternTrie, MatchesWhatThePatternsMatch, ()) {
    const auto texts = *rc::gen::container<std::vector<std::string>>(AnyPattern());
    PatternTrie trie;
    std::vector<Pattern> patterns;
    for (size_t i = 0; i < texts.size(); i++) {
        patterns.push_back(Make(texts[i]));
        trie.Add(patterns[i], i);
    }
    std::vector<bool> there(patterns.size(), true);
    const auto check = [&] {
        for (const std::string& key : *rc::gen::container<std::vector<std::string>>(AnyKey())) {
            std::vector<uint64_t> expected;
            for (size_t i = 0; i < patterns.size(); i++) {
                if (there[i] && patterns[i].Matches(key)) {
                    expected.push_back(i);
                }
            }
            RC_ASSERT(Matches(trie, key) == expected);
        }
    };
    check();
    size_t left = patterns.size();
    for (size_t i = 0; i < patterns.size(); i++) {
        if (*rc::gen::arbitrary<bool>()) {
            RC_ASSERT(trie.Remove(patterns[i], i));
            RC_ASSERT(!trie.Remove(patterns[i], i));
            there[i] = false;
            left--;
        }
    }
    RC_ASSERT(trie.size() == left);
    check();
}

}  // namespace
}  // namespace kvs
