#include "kvs/binding/mapping.h"

#include <gtest/gtest.h>

namespace kvs {
namespace {

using Source = MappedColumn::Source;
using Values = std::vector<std::string>;

Result<Mapping> Parse(std::string_view pattern, std::string_view mapping) {
    return Mapping::Parse(pattern, Json::Parse(mapping).OrThrow());
}

const MappedColumn& Column(const Mapping& mapping, std::string_view name) {
    for (const MappedColumn& column : mapping.columns()) {
        if (column.name == name) {
            return column;
        }
    }
    throw std::out_of_range(std::string(name));
}

void ExpectRefused(std::string_view pattern, std::string_view mapping, const std::string& part) {
    const Result<Mapping> parsed = Parse(pattern, mapping);
    ASSERT_FALSE(parsed.ok()) << pattern << " " << mapping;
    EXPECT_EQ(parsed.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(parsed.error().what()).find(part), std::string::npos) << parsed.error().what();
}

TEST(Mapping, Sources) {
    const Mapping mapping = Parse("{org}/user:{id}", R"({
        "id": "{id}", "org": {"key": "{org}"}, "name": "/profile/name", "all": "", "odd": "/a~1b/~0/",
        "city": {"path": "/city", "default": "?"}, "none": {"path": "/n", "default": null},
        "theme": {"key": "{org}/settings:{id}", "path": "/theme", "default": 1},
        "size": {"key": "{org}/settings:{id}", "path": ""}, "more": {"key": "x:{id}:{org}", "path": "/m"},
        "source": {"value": {"a": 1}}, "null": {"value": null}})")
                                .OrThrow();
    EXPECT_EQ(mapping.key_values(), 2U);
    EXPECT_EQ(Column(mapping, "org").source, Source::kLevel);
    EXPECT_EQ(Column(mapping, "org").index, 0U);
    EXPECT_EQ(Column(mapping, "id").index, 1U);
    EXPECT_TRUE(Column(mapping, "id").IsKey());
    EXPECT_EQ(Column(mapping, "name").path, Values({"profile", "name"}));
    EXPECT_EQ(Column(mapping, "name").value, std::nullopt);
    EXPECT_EQ(Column(mapping, "all").source, Source::kPath);
    EXPECT_TRUE(Column(mapping, "all").path.empty());
    EXPECT_EQ(Column(mapping, "odd").path, Values({"a/b", "~", ""}));
    EXPECT_EQ(Column(mapping, "city").value.value().ToText(), "\"?\"");
    EXPECT_TRUE(Column(mapping, "none").value.value().IsNull());
    EXPECT_EQ(Column(mapping, "theme").source, Source::kOtherPath);
    EXPECT_EQ(Column(mapping, "theme").value.value().ToText(), "1");
    EXPECT_EQ(Column(mapping, "source").source, Source::kConstant);
    EXPECT_FALSE(Column(mapping, "source").IsKey());
    EXPECT_TRUE(Column(mapping, "null").value.value().IsNull());
    // The same other key is read once.
    EXPECT_EQ(mapping.other_keys().size(), 2U);
    EXPECT_EQ(Column(mapping, "theme").index, Column(mapping, "size").index);
    EXPECT_NE(Column(mapping, "theme").index, Column(mapping, "more").index);
}

TEST(Mapping, KeysOfRows) {
    const Mapping mapping = Parse("{org}/user:{id}", R"({"id": "{id}", "org": "{org}"})").OrThrow();
    EXPECT_EQ(mapping.KeyValues("a%2Fb/user:1"), Values({"a/b", "1"}));
    EXPECT_EQ(mapping.KeyOf({"a/b", "1"}), "a%2Fb/user:1");
    EXPECT_EQ(mapping.KeyOf({"a", "1/2"}), std::nullopt);
    EXPECT_EQ(mapping.KeyValues("a/user/1"), std::nullopt);
}

TEST(Mapping, WholeKeys) {
    for (const char* pattern : {"event:#", "event:{id}:#", "event:ab*"}) {
        const Mapping mapping = Parse(pattern, R"({"k": "{key}"})").OrThrow();
        EXPECT_EQ(mapping.key_values(), 1U);
        EXPECT_EQ(Column(mapping, "k").source, Source::kWholeKey);
        EXPECT_EQ(mapping.KeyValues("event:abc:d"), Values({"event:abc:d"}));
        EXPECT_EQ(mapping.KeyOf({"event:abc:d"}), "event:abc:d");
        EXPECT_EQ(mapping.KeyOf({"other:abc:d"}), std::nullopt);
        EXPECT_EQ(mapping.KeyOf({""}), std::nullopt);
    }
    // Matched by the pattern, and no keys.
    const Mapping mapping = Parse("#", R"({"k": {"key": "{key}"}})").OrThrow();
    EXPECT_EQ(mapping.KeyOf({"a:"}), std::nullopt);
    EXPECT_EQ(mapping.KeyOf({"a%2f:b"}), std::nullopt);
    EXPECT_EQ(mapping.KeyOf({"a%2F:b"}), "a%2F:b");
    // A constant that looks like it is one.
    ExpectRefused("event:#", R"({"k": {"value": "{key}"}})", "no column comes from");
}

TEST(Mapping, OtherKeys) {
    const Mapping mapping = Parse("{org}/user:{id}", R"({"id": "{id}", "org": "{org}",
        "theme": {"key": "{id}/settings:{org}", "path": "/theme"}})")
                                .OrThrow();
    EXPECT_EQ(mapping.OtherKey(0, {"acme", "1"}), "1/settings:acme");
    EXPECT_EQ(mapping.KeyOfOther(0, "1/settings:acme"), "acme/user:1");
    // A segment holds what a level of the key part does not.
    EXPECT_EQ(mapping.OtherKey(0, {"a/b", "1"}), std::nullopt);
    EXPECT_EQ(mapping.KeyOfOther(0, "a%2Fb/settings:acme"), std::nullopt);
    EXPECT_EQ(mapping.KeyOfOther(0, "1/settings/acme"), std::nullopt);
    EXPECT_EQ(mapping.KeyOfOther(0, "acme/user:1"), std::nullopt);
}

TEST(Mapping, Refused) {
    ExpectRefused("user:{id}", "[]", "an object");
    ExpectRefused("user:{id}", "{}", "an object");
    ExpectRefused("user:{id}", R"({"a": "/a"})", "no column comes from \"{id}\"");
    ExpectRefused("user:{id}", R"({"a": "{id}", "b": "{id}"})", "more than one column");
    ExpectRefused("user:#", R"({"a": "{key}", "b": "{key}"})", "more than one column");
    ExpectRefused("user:1", R"({"a": "/a"})", "no column comes from \"{key}\"");
    ExpectRefused("user:{id}:+", R"({"a": "{id}"})", "does not tell");
    ExpectRefused("user:{id}", R"({"a": "{other}"})", "column \"a\"");
    ExpectRefused("user:#", R"({"k": "{key}", "a": "{id}"})", "column \"a\"");
    for (const char* source : {"1",
                               "null",
                               "[]",
                               "\"name\"",
                               "\"/a~2\"",
                               "{}",
                               R"({"default": 1})",
                               R"({"path": 1})",
                               R"({"path": "name"})",
                               R"({"path": "/a~"})",
                               R"({"path": "/a", "also": 1})",
                               R"({"value": 1, "path": "/a"})",
                               R"({"value": 1, "default": 2})",
                               R"({"key": "x"})",
                               R"({"key": "{id}", "default": 1})",
                               R"({"key": 1, "path": "/a"})",
                               R"({"key": "x", "path": "/a"})",
                               R"({"key": "x:{other}", "path": "/a"})",
                               R"({"key": "x:{id}:#", "path": "/a"})",
                               R"({"key": "", "path": "/a"})",
                               R"({"key": "{key}", "path": "/a"})"}) {
        ExpectRefused("user:{id}", R"({"id": "{id}", "a": )" + std::string(source) + "}", "column \"a\"");
    }
}

// {key} is the whole key, and a level beside it identifies nothing.
TEST(Mapping, LevelsAndTheWholeKey) {
    ExpectRefused("user:{key}", R"({"k": "{key}"})", "{key}");
    ExpectRefused("user:{id}", R"({"k": "{key}", "id": "{id}"})", "where the whole key");
}

TEST(Mapping, Writable) {
    const auto is_writable = [](const char* sources) {
        const std::string mapping = R"({"id": "{id}", )" + std::string(sources) + "}";
        return Parse("user:{id}", mapping).OrThrow().RequireWritable().ok();
    };
    EXPECT_TRUE(is_writable(R"("a": "/a", "b": "/b/c", "c": "/b/d", "d": {"value": 1})"));
    EXPECT_TRUE(is_writable(R"("a": "/a", "b": "/ab", "c": "/A")"));
    EXPECT_TRUE(is_writable(R"("a": "")"));
    EXPECT_FALSE(is_writable(R"("a": "/a", "b": "/a")"));
    EXPECT_FALSE(is_writable(R"("a": "/a/b", "b": "/a")"));
    EXPECT_FALSE(is_writable(R"("a": "", "b": "/b")"));
    EXPECT_FALSE(is_writable(R"("a": {"key": "x:{id}", "path": "/a"})"));
}

// The document after one change; an error's message where it has no place. An empty value removes.
std::string Changed(std::string_view document, std::string_view path, std::string_view value) {
    const Mapping mapping = Parse("{id}", R"({"id": "{id}", "c": ")" + std::string(path) + "\"}").OrThrow();
    std::vector<PathChange> changes;
    changes.push_back({&Column(mapping, "c").path,
                       value.empty() ? std::nullopt : std::optional(Json::Parse(value).OrThrow())});
    const Result<Json> result = ChangePaths(
        document.empty() ? std::nullopt : std::optional(Json::Parse(document).OrThrow()), std::move(changes));
    return result.ok() ? result.value().ToText() : result.error().what();
}

void ExpectChanged(std::string_view document, std::string_view path, std::string_view value,
                   std::string_view expected) {
    EXPECT_EQ(Changed(document, path, value), Json::Parse(expected).OrThrow().ToText())
        << document << " " << path;
}

TEST(ChangePaths, Set) {
    ExpectChanged("", "/a", "1", R"({"a": 1})");
    ExpectChanged("", "/a/b", "1", R"({"a": {"b": 1}})");
    ExpectChanged(R"({"a": {"x": [1]}, "z": 0})", "/a/b/c", "1",
                  R"({"a": {"x": [1], "b": {"c": 1}}, "z": 0})");
    ExpectChanged(R"({"a": null})", "/a/b", "1", R"({"a": {"b": 1}})");
    ExpectChanged("null", "/a", "1", R"({"a": 1})");
    ExpectChanged(R"({"a": 1})", "", "[2]", "[2]");
    ExpectChanged("", "", "1", "1");
    ExpectChanged("{}", "/", "1", R"({"": 1})");
    ExpectChanged("{}", "/a~1b~0", "1", R"({"a/b~": 1})");
    ExpectChanged(R"({"a": 1})", "/a", "null", R"({"a": null})");
}

TEST(ChangePaths, ArrayElements) {
    ExpectChanged(R"({"a": [1, {"b": 2}]})", "/a/1/b", "3", R"({"a": [1, {"b": 3}]})");
    ExpectChanged(R"({"a": [1, 2]})", "/a/0", "null", R"({"a": [null, 2]})");
    ExpectChanged(R"({"a": [1, {"b": 2}]})", "/a/1/b", "", R"({"a": [1, {}]})");
    ExpectChanged(R"({"a": {"0": 1}})", "/a/0", "2", R"({"a": {"0": 2}})");
    ExpectChanged("", "/a/0", "1", R"({"a": {"0": 1}})");
    // There is nothing to be removed.
    for (const char* token : {"2", "-", "-1", "00", "01", "b", ""}) {
        ExpectChanged(R"({"a": [1, 2]})", std::string("/a/") + token, "", R"({"a": [1, 2]})");
        EXPECT_EQ(Changed(R"({"a": [1, 2]})", std::string("/a/") + token, "1"),
                  "the document has no place for path \"/a/" + std::string(token) + "\"");
    }
    // An element that is taken out would move those behind it.
    EXPECT_EQ(Changed(R"({"a": [1, 2]})", "/a/0", ""), "the document cannot be without path \"/a/0\"");
    EXPECT_EQ(Changed(R"([1])", "/0", ""), "the document cannot be without path \"/0\"");
}

TEST(ChangePaths, Remove) {
    ExpectChanged(R"({"a": {"b": 1, "c": 2}})", "/a/b", "", R"({"a": {"c": 2}})");
    ExpectChanged(R"({"a": {"b": 1}})", "/a/b", "", R"({"a": {}})");
    ExpectChanged(R"({"a": 1})", "/b", "", R"({"a": 1})");
    ExpectChanged(R"({"a": 1})", "/a/b/c", "", R"({"a": 1})");
    ExpectChanged(R"({"a": null})", "/a/b", "", R"({"a": null})");
    ExpectChanged("[1]", "/a/b", "", "[1]");
    // An entry has a value.
    ExpectChanged(R"({"a": 1})", "", "", "null");
}

TEST(ChangePaths, NoPlace) {
    EXPECT_EQ(Changed(R"({"a": 1})", "/a/b", "1"), "the document has no place for path \"/a/b\"");
    EXPECT_EQ(Changed(R"("text")", "/a", "1"), "the document has no place for path \"/a\"");
    EXPECT_EQ(Changed(R"({"a/b": 1})", "/a~1b/~0", "1"), "the document has no place for path \"/a~1b/~0\"");
}

TEST(ChangePaths, SeveralAtOnce) {
    const Values a = {"a", "b"};
    const Values b = {"a", "c"};
    const Values c = {"d"};
    const Result<Json> result =
        ChangePaths(Json::Parse(R"({"d": 1, "e": 2})").OrThrow(),
                    {{&a, Json::Parse("1").OrThrow()}, {&b, Json::Parse("2").OrThrow()}, {&c, std::nullopt}});
    EXPECT_EQ(result.value(), Json::Parse(R"({"a": {"b": 1, "c": 2}, "e": 2})").OrThrow());
}

}  // namespace
}  // namespace kvs
