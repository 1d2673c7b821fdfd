#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "generator.h"
#include "kvs/entry.h"
#include "kvs/json/patch.h"

namespace kvs {
namespace {

Result<Json> Patch(std::string_view document, std::string_view operations) {
    return JsonPatch(Json::Parse(document).OrThrow(), Json::Parse(operations).OrThrow());
}

void ExpectPatched(std::string_view document, std::string_view operations, std::string_view result) {
    Result<Json> patched = Patch(document, operations);
    ASSERT_TRUE(patched.ok()) << patched.error().what();
    EXPECT_EQ(patched.value(), Json::Parse(result).OrThrow()) << patched.value().ToText();
}

void ExpectError(std::string_view document, std::string_view operations, ErrorCode code,
                 const std::string& message) {
    Result<Json> patched = Patch(document, operations);
    ASSERT_FALSE(patched.ok()) << operations;
    EXPECT_EQ(patched.error().code(), code) << operations;
    EXPECT_NE(std::string(patched.error().what()).find(message), std::string::npos) << patched.error().what();
}

// RFC 6902, appendix A, numbered as there.
TEST(JsonPatch, A1AddingAnObjectMember) {
    ExpectPatched(R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])",
                  R"({"baz":"qux","foo":"bar"})");
}

TEST(JsonPatch, A2AddingAnArrayElement) {
    ExpectPatched(R"({"foo":["bar","baz"]})", R"([{"op":"add","path":"/foo/1","value":"qux"}])",
                  R"({"foo":["bar","qux","baz"]})");
}

TEST(JsonPatch, A3RemovingAnObjectMember) {
    ExpectPatched(R"({"baz":"qux","foo":"bar"})", R"([{"op":"remove","path":"/baz"}])", R"({"foo":"bar"})");
}

TEST(JsonPatch, A4RemovingAnArrayElement) {
    ExpectPatched(R"({"foo":["bar","qux","baz"]})", R"([{"op":"remove","path":"/foo/1"}])",
                  R"({"foo":["bar","baz"]})");
}

TEST(JsonPatch, A5ReplacingAValue) {
    ExpectPatched(R"({"baz":"qux","foo":"bar"})", R"([{"op":"replace","path":"/baz","value":"boo"}])",
                  R"({"baz":"boo","foo":"bar"})");
}

TEST(JsonPatch, A6MovingAValue) {
    ExpectPatched(R"({"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}})",
                  R"([{"op":"move","from":"/foo/waldo","path":"/qux/thud"}])",
                  R"({"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}})");
}

TEST(JsonPatch, A7MovingAnArrayElement) {
    ExpectPatched(R"({"foo":["all","grass","cows","eat"]})",
                  R"([{"op":"move","from":"/foo/1","path":"/foo/3"}])",
                  R"({"foo":["all","cows","eat","grass"]})");
}

TEST(JsonPatch, A8TestingAValueSuccess) {
    ExpectPatched(R"({"baz":"qux","foo":["a",2,"c"]})",
                  R"([{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}])",
                  R"({"baz":"qux","foo":["a",2,"c"]})");
}

TEST(JsonPatch, A9TestingAValueError) {
    ExpectError(R"({"baz":"qux"})", R"([{"op":"test","path":"/baz","value":"bar"}])", ErrorCode::kWrongState,
                "operation 0: the test failed");
}

TEST(JsonPatch, A10AddingANestedMemberObject) {
    ExpectPatched(R"({"foo":"bar"})", R"([{"op":"add","path":"/child","value":{"grandchild":{}}}])",
                  R"({"foo":"bar","child":{"grandchild":{}}})");
}

TEST(JsonPatch, A11IgnoringUnrecognizedElements) {
    ExpectPatched(R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux","xyz":123}])",
                  R"({"foo":"bar","baz":"qux"})");
}

TEST(JsonPatch, A12AddingToANonexistentTarget) {
    ExpectError(R"({"foo":"bar"})", R"([{"op":"add","path":"/baz/bat","value":"qux"}])",
                ErrorCode::kInvalidArgument, "path does not exist");
}

// Duplicate members: of two "op", as everywhere in kvs, the last wins, and it lacks nothing then.
TEST(JsonPatch, A13InvalidDocument) {
    ExpectError(R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux","op":"remove"}])",
                ErrorCode::kInvalidArgument, "path does not exist");
}

TEST(JsonPatch, A14EscapeOrdering) {
    ExpectPatched(R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10}])", R"({"/":9,"~1":10})");
}

TEST(JsonPatch, A15ComparingStringsAndNumbers) {
    ExpectError(R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":"10"}])", ErrorCode::kWrongState,
                "the test failed");
}

TEST(JsonPatch, A16AddingAnArrayValue) {
    ExpectPatched(R"({"foo":["bar"]})", R"([{"op":"add","path":"/foo/-","value":["abc","def"]}])",
                  R"({"foo":["bar",["abc","def"]]})");
}

TEST(JsonPatch, TheWholeDocument) {
    ExpectPatched("1", R"([{"op":"add","path":"","value":[2]}])", "[2]");
    ExpectPatched("1", R"([{"op":"replace","path":"","value":3}])", "3");
    ExpectPatched("1", R"([{"op":"test","path":"","value":1.0}])", "1");
    ExpectPatched(R"({"a":{"b":1}})", R"([{"op":"move","from":"/a","path":""}])", R"({"b":1})");
    ExpectPatched(R"({"a":1})", R"([{"op":"copy","from":"","path":"/b"}])", R"({"a":1,"b":{"a":1}})");
    ExpectError("1", R"([{"op":"remove","path":""}])", ErrorCode::kInvalidArgument, "the whole document");
}

TEST(JsonPatch, MemberNames) {
    ExpectPatched(R"({})", R"([{"op":"add","path":"/","value":1}])", R"({"":1})");
    ExpectPatched(R"({"":{"":1}})", R"([{"op":"remove","path":"//"}])", R"({"":{}})");
    ExpectPatched(R"({"0":1})", R"([{"op":"replace","path":"/0","value":2}])", R"({"0":2})");
    ExpectPatched(R"({"-":1})", R"([{"op":"remove","path":"/-"}])", R"({})");
    ExpectPatched(R"({"a/b":{"c~d":1}})", R"([{"op":"remove","path":"/a~1b/c~0d"}])", R"({"a/b":{}})");
}

TEST(JsonPatch, AddReplacesAMember) {
    ExpectPatched(R"({"a":1})", R"([{"op":"add","path":"/a","value":2}])", R"({"a":2})");
}

TEST(JsonPatch, ArrayIndexes) {
    ExpectPatched("[1]", R"([{"op":"add","path":"/0","value":0}])", "[0,1]");
    ExpectPatched("[1]", R"([{"op":"add","path":"/1","value":2}])", "[1,2]");
    for (const char* index : {"2", "01", "-1", "+0", "1e0", "", "x", "99999999999999999999999", "0 "}) {
        std::string path = std::string("/") + index;
        ExpectError("[1]", R"([{"op":"add","path":")" + path + R"(","value":0}])",
                    ErrorCode::kInvalidArgument, "array index");
    }
    for (const char* index : {"1", "-", "00", "-0"}) {
        std::string path = std::string("/") + index;
        ExpectError("[1]", R"([{"op":"remove","path":")" + path + R"("}])", ErrorCode::kInvalidArgument,
                    "path does not exist");
        ExpectError("[1]", R"([{"op":"replace","path":")" + path + R"(","value":1}])",
                    ErrorCode::kInvalidArgument, "path does not exist");
        ExpectError("[1]", R"([{"op":"test","path":")" + path + R"(","value":1}])",
                    ErrorCode::kInvalidArgument, "path does not exist");
    }
}

TEST(JsonPatch, Move) {
    ExpectPatched(R"({"a":1})", R"([{"op":"move","from":"/a","path":"/a"}])", R"({"a":1})");
    ExpectPatched(R"({"a":1,"b":2})", R"([{"op":"move","from":"/a","path":"/b"}])", R"({"b":1})");
    ExpectPatched(R"([1,2,3])", R"([{"op":"move","from":"/2","path":"/0"}])", R"([3,1,2])");
    ExpectPatched(R"({"a":1,"ab":{}})", R"([{"op":"move","from":"/a","path":"/ab/c"}])", R"({"ab":{"c":1}})");
    ExpectError(R"({"a":{}})", R"([{"op":"move","from":"/a","path":"/a/b"}])", ErrorCode::kInvalidArgument,
                "into itself");
    ExpectError(R"({})", R"([{"op":"move","from":"/a","path":"/a"}])", ErrorCode::kInvalidArgument,
                "path does not exist");
    ExpectError(R"({})", R"([{"op":"copy","from":"/a","path":"/b"}])", ErrorCode::kInvalidArgument,
                "path does not exist");
}

TEST(JsonPatch, TestComparesExactNumbers) {
    ExpectPatched(R"({"a":[12345678901234567890.10]})",
                  R"([{"op":"test","path":"/a","value":[12345678901234567890.1]}])",
                  R"({"a":[12345678901234567890.10]})");
    ExpectError("9007199254740993", R"([{"op":"test","path":"","value":9007199254740992}])",
                ErrorCode::kWrongState, "the test failed");
}

TEST(JsonPatch, AllOrNothing) {
    ExpectError(R"({"a":1})", R"([{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}])",
                ErrorCode::kInvalidArgument, "operation 1:");
}

TEST(JsonPatch, MalformedOperations) {
    const char* const cases[][2] = {
        {R"({})", "not an array"},
        {R"([1])", "not an object"},
        {R"([{}])", "no \"op\""},
        {R"([{"op":1,"path":""}])", "no \"op\""},
        {R"([{"op":"add","value":1}])", "no \"path\""},
        {R"([{"op":"add","path":1,"value":1}])", "no \"path\""},
        {R"([{"op":"add","path":"/a"}])", "no \"value\""},
        {R"([{"op":"test","path":"/a"}])", "no \"value\""},
        {R"([{"op":"move","path":"/a"}])", "no \"from\""},
        {R"([{"op":"copy","path":"/a","from":null}])", "no \"from\""},
        {R"([{"op":"spam","path":"/a"}])", "\"spam\""},
        {R"([{"op":"add","path":"a","value":1}])", "does not begin with"},
        {R"([{"op":"add","path":"/~","value":1}])", "neither 0 nor 1"},
        {R"([{"op":"add","path":"/~2","value":1}])", "neither 0 nor 1"},
        {R"([{"op":"copy","path":"/a","from":"b"}])", "does not begin with"},
        {R"([{"op":"add","path":"/a/b","value":1}])", "path does not exist"},
    };
    for (const auto& [operations, message] : cases) {
        ExpectError(R"({"a":1})", operations, ErrorCode::kInvalidArgument, message);
    }
}

TEST(JsonPatch, ADoublingDocumentIsStopped) {
    std::string operations = "[";
    for (int i = 0; i < 60; i++) {
        operations += R"({"op":"copy","from":"","path":"/)" + std::to_string(i) + R"("},)";
    }
    operations.back() = ']';
    ExpectError(R"({"a":"xxxxxxxxxxxxxxxxxxxx"})", operations, ErrorCode::kLimitExceeded, "too large");
}

// Each round wraps the value in one more array.
TEST(JsonPatch, ADeepeningDocumentIsStopped) {
    auto wrap = [](int times) {
        std::string operations = "[";
        for (int i = 0; i < times; i++) {
            operations += R"({"op":"add","path":"/b","value":[]},{"op":"move","from":"/a","path":"/b/0"},)"
                          R"({"op":"move","from":"/b","path":"/a"},)";
        }
        operations.back() = ']';
        return operations;
    };
    std::string deepest = std::string(kMaxNesting - 1, '[') + "0" + std::string(kMaxNesting - 1, ']');
    ExpectPatched(R"({"a":0})", wrap(kMaxNesting - 1), R"({"a":)" + deepest + "}");
    ExpectError(R"({"a":0})", wrap(kMaxNesting), ErrorCode::kLimitExceeded, "nested too deeply");
}

TEST(JsonPatch, EachWayToGrowIsLimited) {
    Json document = Json::FromObject({{"a", Json::Integer(0)}, {"b", Json::FromArray({})}});
    Json large = Json::String(std::string(kMaxValueSize, 'x'));
    Json deep = Json::Parse(std::string(kMaxNesting, '[') + std::string(kMaxNesting, ']')).OrThrow();
    for (const char* op : {"add", "replace"}) {
        for (const Json& value : {large, deep}) {
            Json operation =
                Json::FromObject({{"op", Json::String(op)}, {"path", Json::String("/a")}, {"value", value}});
            Result<Json> patched = JsonPatch(document, Json::FromArray({operation}));
            ASSERT_FALSE(patched.ok());
            EXPECT_EQ(patched.error().code(), ErrorCode::kLimitExceeded);
        }
    }
}

TEST(JsonPatch, TooManyOperations) {
    Json test = Json::Parse(R"({"op":"test","path":"","value":1})").OrThrow();
    Json one = Json::Integer(1);
    EXPECT_TRUE(JsonPatch(one, Json::FromArray(Json::Array(kMaxPatchOperations, test))).ok());
    Result<Json> refused = JsonPatch(one, Json::FromArray(Json::Array(kMaxPatchOperations + 1, test)));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kLimitExceeded);
}

// The estimate of the size must not drift when members come and go: the names of all rounds together are
// larger than a document may be.
TEST(JsonPatch, ManyRoundsDoNotGrowTheDocument) {
    Json path = Json::String("/" + std::string(3500, 'n'));
    Json add = Json::FromObject({{"op", Json::String("add")}, {"path", path}, {"value", Json::Integer(1)}});
    Json remove = Json::FromObject({{"op", Json::String("remove")}, {"path", path}});
    Json::Array operations;
    for (size_t i = 0; i < kMaxPatchOperations / 2; i++) {
        operations.push_back(add);
        operations.push_back(remove);
    }
    ASSERT_GT(kMaxPatchOperations / 2 * path.string().size(), kMaxValueSize);
    Json empty = Json::FromObject({});
    EXPECT_EQ(JsonPatch(empty, Json::FromArray(std::move(operations))).OrThrow(), empty);
}

// Adding a member and taking it away again gives the document back; so does putting the old value back.
RC_GTEST_PROP(JsonPatch, RoundTrip, ()) {
    Json document = AnyObject(3);
    std::string name = AnyText();
    std::string pointer = "/";
    for (char c : name) {
        pointer += c == '~' ? std::string("~0") : c == '/' ? std::string("~1") : std::string(1, c);
    }
    auto operation = [&](const char* op, const Json& value) {
        return Json::FromObject(
            {{"op", Json::String(op)}, {"path", Json::String(pointer)}, {"value", value}});
    };
    Json value = AnyJson(2);
    const Json* before = document.Find(name);
    Json undo = before == nullptr ? operation("remove", Json()) : operation("replace", *before);
    Json operations = Json::FromArray({operation("add", value), operation("test", value), undo});
    RC_ASSERT(JsonPatch(document, operations).OrThrow() == document);
}

RC_GTEST_PROP(JsonPatch, WhatIsNoPatchIsRefused, ()) {
    Json operations = AnyJson(4);  // members are never called "op"
    Result<Json> patched = JsonPatch(Json(), operations);
    bool is_empty_patch = operations.IsArray() && operations.array().empty();
    RC_ASSERT(patched.ok() == is_empty_patch);
    RC_ASSERT((is_empty_patch || patched.error().code() == ErrorCode::kInvalidArgument));
}

}  // namespace
}  // namespace kvs
