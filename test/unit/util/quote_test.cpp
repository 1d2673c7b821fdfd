#include "kvs/util/quote.h"

#include <gtest/gtest.h>

namespace kvs {
namespace {

TEST(Quoted, LeavesTextAlone) {
    EXPECT_EQ(Quoted("user:1"), "\"user:1\"");
    EXPECT_EQ(Quoted(""), "\"\"");
    EXPECT_EQ(Quoted("Gr\xc3\xbc\xc3\x9f"
                     "e \xe2\x82\xac \xf0\x9f\x98\x80"),
              "\"Gr\xc3\xbc\xc3\x9f"
              "e \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

TEST(Quoted, EscapesControlCharacters) {
    EXPECT_EQ(Quoted(std::string_view("a\0b\n\x7f", 5)), "\"a\\x00b\\x0a\\x7f\"");
}

TEST(Quoted, EscapesWhatIsNotUtf8) {
    EXPECT_EQ(Quoted("\xff"), "\"\\xff\"");
    EXPECT_EQ(Quoted("\x80x"), "\"\\x80x\"");
    EXPECT_EQ(Quoted("\xc0\x80"), "\"\\xc0\\x80\"");                    // overlong
    EXPECT_EQ(Quoted("\xe0\x80\x80"), "\"\\xe0\\x80\\x80\"");           // overlong
    EXPECT_EQ(Quoted("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"");           // a surrogate
    EXPECT_EQ(Quoted("\xf0\x80\x80\x80"), "\"\\xf0\\x80\\x80\\x80\"");  // overlong
    EXPECT_EQ(Quoted("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"");  // above U+10FFFF
    EXPECT_EQ(Quoted("\xe2\x82"), "\"\\xe2\\x82\"");                    // ends too early
    EXPECT_EQ(Quoted("\xf0\x9f\x98"), "\"\\xf0\\x9f\\x98\"");
}

TEST(Quoted, CutsBetweenCharacters) {
    EXPECT_EQ(Quoted(std::string(64, 'x')), "\"" + std::string(64, 'x') + "\"");
    EXPECT_EQ(Quoted(std::string(65, 'x')), "\"" + std::string(64, 'x') + "...\"");
    EXPECT_EQ(Quoted(std::string(63, 'x') + "\xc3\xbcy"), "\"" + std::string(63, 'x') + "\xc3\xbc...\"");
}

}  // namespace
}  // namespace kvs
