#include "kvs/codec/trace_context.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace kvs {
namespace {

constexpr char kExample[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string With(size_t at, std::string_view digits) {
    std::string text = kExample;
    return text.replace(at, digits.size(), digits);
}

// What it is taken for; "": it is refused.
std::string Read(std::string_view text) {
    TraceContext trace;
    return ParseTraceparent(text, &trace) == nullptr ? trace.ToTraceparent() : "";
}

TEST(TraceContext, TheRecommendationsExample) {
    TraceContext trace;
    ASSERT_EQ(ParseTraceparent(kExample, &trace), nullptr);
    EXPECT_EQ(trace.trace_id[0], 0x4b);
    EXPECT_EQ(trace.trace_id[15], 0x36);
    EXPECT_EQ(trace.parent_id[1], 0xf0);
    EXPECT_EQ(trace.flags, 1);
    EXPECT_EQ(trace.ToTraceparent(), kExample);
    std::string stored(TraceContext::kSize, '\0');
    EXPECT_EQ(trace.Write(stored.data()), stored.data() + stored.size());
    EXPECT_EQ(stored.substr(0, 2), "\x4b\xf9");
    EXPECT_EQ(stored.substr(15, 2), std::string("\x36\0", 2));
    EXPECT_EQ(stored.back(), '\x01');
    EXPECT_EQ(TraceContext::FromBytes(stored), trace);
}

TEST(TraceContext, Version00) {
    EXPECT_EQ(Read(With(53, "ff")), With(53, "ff"));
    EXPECT_EQ(Read(std::string(kExample) + "-"), "");
    EXPECT_EQ(Read(std::string(kExample) + "-00"), "");
    EXPECT_EQ(Read(std::string(kExample) + "0"), "");
    EXPECT_EQ(Read(With(3, std::string(32, '0'))), "");
    EXPECT_EQ(Read(With(36, std::string(16, '0'))), "");
    EXPECT_EQ(Read(With(3, std::string(31, '0') + "1")), With(3, std::string(31, '0') + "1"));
}

// More may follow, and of the flags only one has a meaning.
TEST(TraceContext, HigherVersions) {
    EXPECT_EQ(Read(With(0, "01")), kExample);
    EXPECT_EQ(Read(With(0, "cc") + "-what-comes-then"), kExample);
    EXPECT_EQ(Read(With(0, "fe") + "-"), kExample);
    EXPECT_EQ(Read(With(0, "01") + "x"), "");
    EXPECT_EQ(Read(With(0, "ff")), "");
    EXPECT_EQ(Read(With(0, "01").replace(53, 2, "ff")), kExample);
    EXPECT_EQ(Read(With(0, "01").replace(53, 2, "fe")), With(53, "00"));
    EXPECT_EQ(Read(With(0, "01").replace(36, 16, std::string(16, '0'))), "");
}

TEST(TraceContext, EachCharacterCounts) {
    const std::string text = kExample;
    for (size_t i = 0; i < text.size(); i++) {
        EXPECT_EQ(Read(text.substr(0, i)), "");
        for (const char wrong : {'A', 'F', 'g', 'G', ' ', '-', '_', '/', ':', '`', '\0', '\xff'}) {
            std::string other = text;
            other[i] = wrong;
            EXPECT_EQ(Read(other), wrong == text[i] ? text : "") << other;
        }
    }
}

RC_GTEST_PROP(TraceContext, RoundTrip, ()) {
    TraceContext trace;
    trace.trace_id = *rc::gen::arbitrary<std::array<uint8_t, 16>>();
    trace.parent_id = *rc::gen::arbitrary<std::array<uint8_t, 8>>();
    trace.trace_id[0] |= 1;
    trace.parent_id[7] |= 1;
    trace.flags = *rc::gen::arbitrary<uint8_t>();
    TraceContext read;
    RC_ASSERT(ParseTraceparent(trace.ToTraceparent(), &read) == nullptr);
    RC_ASSERT(read == trace);
}

}  // namespace
}  // namespace kvs
