#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "generator.h"
#include "kvs/json/patch.h"

namespace kvs {
namespace {

std::string Merge(std::string_view target, std::string_view patch) {
    return MergePatch(Json::Parse(target).OrThrow(), Json::Parse(patch).OrThrow()).ToText();
}

// RFC 7396, appendix A, all of its cases.
TEST(MergePatch, CasesOfTheRfc) {
    const struct {
        const char* original;
        const char* patch;
        const char* result;
    } cases[] = {
        {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
        {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
        {R"({"a":"b"})", R"({"a":null})", R"({})"},
        {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
        {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
        {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
        {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
        {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
        {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
        {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
        {R"({"a":"foo"})", R"(null)", R"(null)"},
        {R"({"a":"foo"})", R"("bar")", R"("bar")"},
        {R"({"e":null})", R"({"a":1})", R"({"a":1,"e":null})"},
        {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
        {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
    };
    for (const auto& test : cases) {
        EXPECT_EQ(Merge(test.original, test.patch), test.result) << test.original << " " << test.patch;
    }
}

// RFC 7396, section 3.
TEST(MergePatch, ExampleOfTheRfc) {
    EXPECT_EQ(Merge(R"({"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},
                        "tags":["example","sample"],"content":"This will be unchanged"})",
                    R"({"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},
                        "tags":["example"]})"),
              R"({"author":{"givenName":"John"},"content":"This will be unchanged",)"
              R"("phoneNumber":"+01-123-456-7890","tags":["example"],"title":"Hello!"})");
}

TEST(MergePatch, KeepsDigits) {
    EXPECT_EQ(Merge(R"({"a":12345678901234567890.123456789,"b":1})", R"({"b":1e-300})"),
              R"({"a":12345678901234567890.123456789,"b":1e-300})");
}

RC_GTEST_PROP(MergePatch, IsIdempotent, ()) {
    Json target = AnyJson(3);
    Json patch = AnyJson(3);
    Json once = MergePatch(target, patch);
    RC_ASSERT(MergePatch(once, patch) == once);
    RC_ASSERT((patch.IsObject() || once == patch));
}

RC_GTEST_PROP(MergePatch, EmptyPatchKeepsObjects, ()) {
    Json target = AnyJson(3);
    Json result = MergePatch(target, Json::FromObject({}));
    RC_ASSERT((target.IsObject() ? result == target : result == Json::FromObject({})));
}

}  // namespace
}  // namespace kvs
