#include "kvs/version/ref.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace kvs {
namespace {

using Base = Ref::Base;
using Kind = RefStep::Kind;

void ExpectRef(std::string_view text, const Ref& expected) {
    Result<Ref> ref = ParseRef(text);
    ASSERT_TRUE(ref.ok()) << text << ": " << ref.error().what();
    EXPECT_EQ(ref.value(), expected) << text;
    EXPECT_EQ(ParseRef(ref.value().ToText()).OrThrow(), expected) << text;
}

TEST(Ref, Bases) {
    ExpectRef("HEAD", {Base::kHead, "", {}});
    ExpectRef("WORKING", {Base::kWorking, "", {}});
    ExpectRef("main", {Base::kName, "main", {}});
    ExpectRef("feature/x-1", {Base::kName, "feature/x-1", {}});
    ExpectRef("v1.0@home", {Base::kName, "v1.0@home", {}});
    ExpectRef("HEADER", {Base::kName, "HEADER", {}});
    ExpectRef("abc", {Base::kName, "abc", {}});  // three digits are too few for a hash
    ExpectRef("abcd", {Base::kHash, "abcd", {}});
    ExpectRef("ABCdef09", {Base::kHash, "abcdef09", {}});
    ExpectRef(std::string(64, 'f'), {Base::kHash, std::string(64, 'f'), {}});
    ExpectRef(std::string(65, 'f'), {Base::kName, std::string(65, 'f'), {}});
    ExpectRef("abcg", {Base::kName, "abcg", {}});
    ExpectRef("2024", {Base::kHash, "2024", {}});
}

TEST(Ref, Steps) {
    ExpectRef("main~3", {Base::kName, "main", {{Kind::kAncestor, 3, ""}}});
    ExpectRef("main~", {Base::kName, "main", {{Kind::kAncestor, 1, ""}}});
    ExpectRef("main^", {Base::kName, "main", {{Kind::kParent, 1, ""}}});
    ExpectRef("main^0", {Base::kName, "main", {{Kind::kParent, 0, ""}}});
    ExpectRef("main~0", {Base::kName, "main", {{Kind::kAncestor, 0, ""}}});
    ExpectRef(
        "main^^2~10",
        {Base::kName, "main", {{Kind::kParent, 1, ""}, {Kind::kParent, 2, ""}, {Kind::kAncestor, 10, ""}}});
    ExpectRef("abcd~1", {Base::kHash, "abcd", {{Kind::kAncestor, 1, ""}}});
    ExpectRef("main@{2}", {Base::kName, "main", {{Kind::kReflogEntry, 2, ""}}});
    ExpectRef("HEAD@{0}", {Base::kHead, "", {{Kind::kReflogEntry, 0, ""}}});
    ExpectRef("@{1}", {Base::kSession, "", {{Kind::kReflogEntry, 1, ""}}});
    ExpectRef("@{yesterday}~2",
              {Base::kSession, "", {{Kind::kMoment, 0, "yesterday"}, {Kind::kAncestor, 2, ""}}});
    ExpectRef("main@{2024-05-01 12:00:00+02}^2",
              {Base::kName, "main", {{Kind::kMoment, 0, "2024-05-01 12:00:00+02"}, {Kind::kParent, 2, ""}}});
    ExpectRef("main@{~^ @{}", {Base::kName, "main", {{Kind::kMoment, 0, "~^ @{"}}});
    ExpectRef("main~1000000000", {Base::kName, "main", {{Kind::kAncestor, 1000000000, ""}}});
    EXPECT_EQ(ParseRef("main~01^").OrThrow().ToText(), "main~1^1");
}

TEST(Ref, Malformed) {
    for (const char* text : {"",
                             "~",
                             "~1",
                             "^",
                             "@",
                             "@{",
                             "@{}",
                             "@{1",
                             "main@{",
                             "main@{}",
                             "main@{1",
                             "main@{1}x",
                             "main~x",
                             "main~-1",
                             "main~1x",
                             "main^{commit}",
                             "main~1000000001",
                             "main~99999999999999999999",
                             "main@{99999999999999999999}",
                             "main@{1}@{2}",
                             "main~1@{1}",
                             "abcd@{1}",
                             "WORKING~1",
                             "WORKING^",
                             "WORKING@{1}",
                             "WORKING@{now}",
                             "head",
                             "Working",
                             "a b",
                             "a..b",
                             "-x",
                             "/x",
                             "x/",
                             "x.lock",
                             "main:key",
                             "main?",
                             "ma*in",
                             "main\\",
                             "a//b",
                             "..",
                             "~~x",
                             "@{1}x"}) {
        Result<Ref> ref = ParseRef(text);
        ASSERT_FALSE(ref.ok()) << text;
        EXPECT_EQ(ref.error().code(), ErrorCode::kInvalidArgument) << text;
    }
    EXPECT_FALSE(ParseRef(std::string_view("main\0", 5)).ok());
    EXPECT_FALSE(ParseRef(std::string_view("main@{a\0}", 9)).ok());
    EXPECT_TRUE(ParseRef("main" + std::string(kMaxRefSize - 4, '^')).ok());
    EXPECT_FALSE(ParseRef("main" + std::string(kMaxRefSize - 3, '^')).ok());
}

TEST(RefName, Valid) {
    for (const char* name : {"main",    "a",       "feature/login", "v1.0",         "abc",
                             "x@y",     "a-b",     "a.b",           "@x",           "x@",
                             "fix_1",   "abcdefg", "\xc3\xbc",      "a/b/c",        "lock",
                             "x.lockx", "\u00a1",  "\u2010",        "\u65e5\u672c", "\U0001f333",
                             "HEADS",   "head2",   "working-copy",  "main]",        "{a}",
                             "!",       "a,b"}) {
        EXPECT_TRUE(ValidateRefName(name).ok()) << name;
    }
    EXPECT_TRUE(ValidateRefName(std::string(255, 'x')).ok());
    EXPECT_TRUE(ValidateRefName(std::string(65, 'a')).ok());
}

TEST(RefName, Invalid) {
    for (const char* name :
         {"",     " ",    "a b",     "a\tb",    "a\x7f",    "a\nb", "a~b",      "a^b", "a:b",  "a?b",
          "a*b",  "a[b",  "a\\b",    "..",      "a..b",     "a@{b", "-a",       ".a",  "a/.b", "/a",
          "a/",   "a.",   "a//b",    "a.lock",  "a.lock/b", "@",    "/",        ".",   "-",    "HEAD",
          "head", "Head", "WORKING", "working", "abcd",     "0000", "DEADBEEF", "2024"}) {
        Status status = ValidateRefName(name);
        ASSERT_FALSE(status.ok()) << name;
        EXPECT_EQ(status.error().code(), ErrorCode::kInvalidArgument) << name;
    }
    EXPECT_FALSE(ValidateRefName(std::string_view("a\0b", 3)).ok());
    for (const char* unseen : {"\u00ad", "\u061c", "\u180e", "\u200b", "\u200d", "\u200f", "\u2028", "\u202e",
                               "\u2060", "\u2066", "\ufeff", "\u0085", "\U000e0041"}) {
        EXPECT_FALSE(ValidateRefName(std::string("a") + unseen + "b").ok()) << unseen;
        EXPECT_FALSE(ValidateRefName(unseen).ok()) << unseen;
    }
    EXPECT_FALSE(ValidateRefName(std::string(256, 'x')).ok());
    EXPECT_FALSE(ValidateRefName(std::string(64, 'a')).ok());
}

RC_GTEST_PROP(RefName, AValidNameIsARef, ()) {
    std::string name = *rc::gen::container<std::string>(
        rc::gen::element('a', 'g', 'D', '0', '.', '/', '-', '@', '{', '~', ' ', ':', '\xc3'));
    if (ValidateRefName(name).ok()) {
        Ref ref = ParseRef(name).OrThrow();
        RC_ASSERT(ref == (Ref{Base::kName, name, {}}));
    }
}

RC_GTEST_PROP(Ref, TextRoundTrip, ()) {
    std::string text = *rc::gen::element<std::string>("HEAD", "main", "abcd12", "x/y", "", "WORKING");
    for (const std::string& piece : *rc::gen::container<std::vector<std::string>>(
             rc::gen::element<std::string>("~", "^", "~2", "^0", "@{3}", "@{now}", "7", "@", "{", "}"))) {
        text += piece;
    }
    Result<Ref> ref = ParseRef(text);
    if (ref.ok()) {
        RC_ASSERT(ParseRef(ref.value().ToText()).OrThrow() == ref.value());
    } else {
        RC_ASSERT(ref.error().code() == ErrorCode::kInvalidArgument);
    }
}

}  // namespace
}  // namespace kvs
