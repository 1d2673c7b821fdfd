#include "kvs/merge/merge_policy.h"

#include <gtest/gtest.h>

namespace kvs {
namespace {

TEST(MergePolicyTest, ReadsWhatItWrites) {
    for (const char* text :
         {"conflict", "append", "set", "by:id", "by:a b:c", "by::", "counter", "lww", "max", "min"}) {
        const Result<PolicySpec> spec = ParseMergePolicy(text);
        ASSERT_TRUE(spec.ok()) << text;
        EXPECT_EQ(ToText(spec.value()), text);
    }
    EXPECT_EQ(ParseMergePolicy("by:sku").value(), (PolicySpec{MergePolicy::kById, "sku"}));
    EXPECT_EQ(ParseMergePolicy("counter").value(), (PolicySpec{MergePolicy::kCounter, ""}));
    EXPECT_EQ(PolicySpec{}.policy, MergePolicy::kConflict);
}

TEST(MergePolicyTest, RefusesEverythingElse) {
    for (const char* text :
         {"", "by", "by:", "Set", "set ", " lww", "counter:x", "last-writer", "by;id", "setx"}) {
        const Result<PolicySpec> spec = ParseMergePolicy(text);
        ASSERT_FALSE(spec.ok()) << text;
        EXPECT_EQ(spec.error().code(), ErrorCode::kInvalidArgument);
        for (const char* name : {"conflict", "append", "set", "by:FIELD", "counter", "lww", "max", "min"}) {
            EXPECT_NE(spec.error().hint().find(name), std::string::npos) << name;
        }
    }
}

TEST(MergePolicyTest, KnowsWhichNeverConflict) {
    for (const char* text : {"set", "counter", "lww", "max", "min"}) {
        EXPECT_TRUE(ParseMergePolicy(text).value().convergent()) << text;
    }
    for (const char* text : {"conflict", "append", "by:id"}) {
        EXPECT_FALSE(ParseMergePolicy(text).value().convergent()) << text;
    }
}

class MergePoliciesTest : public testing::Test {
  protected:
    void Set(const char* pattern, const char* policy) {
        policies_.Set(Pattern::Parse(pattern).OrThrow(), ParseMergePolicy(policy).OrThrow());
    }
    std::string For(const char* key) const { return ToText(policies_.For(key)); }

    MergePolicies policies_;
};

TEST_F(MergePoliciesTest, WithoutARuleIsConflict) {
    EXPECT_EQ(For("user:1"), "conflict");
    EXPECT_TRUE(policies_.empty());
    Set("cart:#", "set");
    EXPECT_EQ(For("user:1"), "conflict");
    EXPECT_EQ(For("cart:1"), "set");
}

TEST_F(MergePoliciesTest, TheMostSpecificPatternWinsInAnyOrder) {
    const std::vector<std::pair<const char*, const char*>> rules = {
        {"#", "lww"},           {"user:#", "append"}, {"user:+", "set"},     {"user:+:visits", "counter"},
        {"user:1*", "max"},     {"user:1", "min"},    {"user:1:#", "by:id"}, {"+:+:visits", "min"},
        {"user:{a}:{b}", "max"}};
    for (size_t first = 0; first < rules.size(); first++) {
        policies_ = MergePolicies();
        for (size_t i = 0; i < rules.size(); i++) {
            const auto& [pattern, policy] = rules[(first + i) % rules.size()];
            Set(pattern, policy);
        }
        EXPECT_EQ(For("order:9"), "lww");
        EXPECT_EQ(For("order:9:visits"), "min");
        EXPECT_EQ(For("user"), "append");            // only user:# and #
        EXPECT_EQ(For("user:2"), "set");             // a level of its own beats #
        EXPECT_EQ(For("user:2:visits"), "counter");  // by text: user:+:visits is before user:{a}:{b}
        EXPECT_EQ(For("user:2:name"), "max");
        EXPECT_EQ(For("user:2:a:b"), "append");
        EXPECT_EQ(For("user:1"), "min");
        EXPECT_EQ(For("user:17"), "max");
        EXPECT_EQ(For("user:1:visits"), "by:id");  // six literal bytes, as user:1*, whose text is larger
    }
}

TEST_F(MergePoliciesTest, APatternHasOneRule) {
    Set("a:#", "set");
    Set("a:#", "counter");
    EXPECT_EQ(For("a:1"), "counter");
    EXPECT_EQ(policies_.rules().size(), 1u);
}

}  // namespace
}  // namespace kvs
