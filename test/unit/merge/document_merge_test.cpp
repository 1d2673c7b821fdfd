#include "kvs/merge/document_merge.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "documents.h"
#include "kvs/entry.h"
#include "kvs/json/canonical.h"
#include "kvs/json/pointer.h"

namespace kvs::test {
namespace {

using Sides = std::optional<Json>;

// "" stands for what is not there.
Sides Doc(const std::string& text) {
    return text.empty() ? std::nullopt : Sides(Json::Parse(text).OrThrow());
}

std::string Text(const Sides& json) {
    return json ? json->ToText() : "";
}

bool SameSides(const Sides& left, const Sides& right) {
    return left && right ? SameValue(*left, *right) : left.has_value() == right.has_value();
}

PolicySpec Policy(const char* text) {
    return ParseMergePolicy(text).OrThrow();
}

// The merged document, then the conflicts as "path reason".
std::string Merge(const char* policy, const std::string& base, const std::string& ours,
                  const std::string& theirs, bool theirs_is_later = false) {
    const MergedDocument merged =
        MergeDocuments(Doc(base), Doc(ours), Doc(theirs), Policy(policy), theirs_is_later);
    std::string text = Text(merged.value);
    for (const MergeConflict& conflict : merged.conflicts) {
        text += " | " + conflict.path + " " + MergeReasonName(conflict.reason);
    }
    return text;
}

// --- members ---

TEST(DocumentMergeTest, EditsOfDifferentMembersDoNotMeet) {
    EXPECT_EQ(Merge("conflict", R"({"a":1,"b":1})", R"({"a":2,"b":1})", R"({"a":1,"b":2})"),
              R"({"a":2,"b":2})");
    EXPECT_EQ(Merge("conflict", R"({"x":{"a":1,"b":1}})", R"({"x":{"a":2,"b":1}})", R"({"x":{"a":1}})"),
              R"({"x":{"a":2}})");
    EXPECT_EQ(Merge("conflict", "{}", R"({"a":1})", R"({"b":2})"), R"({"a":1,"b":2})");
    EXPECT_EQ(Merge("conflict", R"({"a":1,"b":1})", R"({"b":1})", R"({"a":1})"), "{}");
    EXPECT_EQ(Merge("conflict", R"({"a":1})", R"({"a":2})", R"({"a":2.0})"), R"({"a":2})");
}

TEST(DocumentMergeTest, NumbersWrittenInAnotherWayKeepTheirDigits) {
    const auto merge = [](const char* base, const char* ours, const char* theirs, bool theirs_is_later) {
        const MergedDocument merged =
            MergeDocuments(Doc(base), Doc(ours), Doc(theirs), Policy("conflict"), theirs_is_later);
        EXPECT_TRUE(merged.conflicts.empty());
        return merged.value;
    };
    for (const bool later : {false, true}) {
        // A change like any other against none, and none at all against another value.
        EXPECT_EQ(merge("0.1", "0.10", "0.1", later), Doc("0.10"));
        EXPECT_EQ(merge("0.1", "0.1", "0.10", later), Doc("0.10"));
        EXPECT_EQ(merge("0.1", "0.10", "5", later), Doc("5"));
        EXPECT_EQ(merge("0.1", "5", "0.10", later), Doc("5"));
        EXPECT_EQ(merge(R"({"n":0.1})", R"({"n":0.10})", R"({"n":0.1,"z":1})", later),
                  Doc(R"({"n":0.10,"z":1})"));
        // Of two ways the later one, seen from either side.
        EXPECT_EQ(merge("1.0", "1.00", "1.000", later), Doc(later ? "1.000" : "1.00"));
        EXPECT_EQ(merge("7", "1.00", "1.000", later), Doc(later ? "1.000" : "1.00"));
    }
}

TEST(DocumentMergeTest, WithoutABaseMembersMergeToo) {
    EXPECT_EQ(Merge("conflict", "", R"({"a":1,"c":[1]})", R"({"b":2,"c":[1.0]})"),
              R"({"a":1,"b":2,"c":[1]})");
    EXPECT_EQ(Merge("conflict", "", R"({"a":1})", R"({"a":2,"b":3})"), R"({"a":1,"b":3} | /a add/add)");
    EXPECT_EQ(Merge("conflict", "5", R"({"a":1})", R"({"b":2})"), R"({"a":1,"b":2})");
}

TEST(DocumentMergeTest, ConflictsHaveAPathAndAReason) {
    EXPECT_EQ(Merge("conflict", "1", "2", "3"), "2 |  modify/modify");
    EXPECT_EQ(Merge("conflict", R"({"a/b":{"~":1}})", R"({"a/b":{"~":2}})", R"({"a/b":{"~":3}})"),
              R"({"a/b":{"~":2}} | /a~1b/~0 modify/modify)");
    EXPECT_EQ(Merge("conflict", R"({"a":1})", R"({"a":2})", "{}"), R"({"a":2} | /a modify/delete)");
    EXPECT_EQ(Merge("conflict", R"({"a":1})", "{}", R"({"a":2})"), R"({} | /a delete/modify)");
    EXPECT_EQ(Merge("conflict", R"({"a":1})", R"({"a":"1"})", R"({"a":2})"), R"({"a":"1"} | /a type)");
    EXPECT_EQ(Merge("conflict", "[1]", "[1,2]", "[1,3]"), "[1,2] |  array");
    EXPECT_EQ(Merge("conflict", "", "[1,2]", "[1,3]"), "[1,2] |  add/add");
    EXPECT_EQ(Merge("conflict", "1", "", "2"), " |  delete/modify");
    EXPECT_EQ(Merge("conflict", R"({"a":1,"b":1})", R"({"a":2,"b":"x"})", R"({"a":3})"),
              R"({"a":2,"b":"x"} | /a modify/modify | /b modify/delete)");
    const MergedDocument merged = MergeDocuments(Doc(R"({"a":1})"), Doc(R"({"a":2})"), Doc("{}"), {}, false);
    EXPECT_EQ(merged.conflicts,
              (std::vector<MergeConflict>{{"/a", Doc("1"), Doc("2"), Doc(""), MergeReason::kModifyDelete}}));
}

// --- arrays ---

TEST(DocumentMergeTest, AppendKeepsWhatBothAdded) {
    EXPECT_EQ(Merge("append", "[1]", "[1,2]", "[1,3,4]"), "[1,2,3,4]");
    EXPECT_EQ(Merge("append", "[1]", "[1,2]", "[1,2,3]"), "[1,2,2,3]");
    EXPECT_EQ(Merge("append", "[1]", "[1,1]", "[1,1,1]"), "[1,1,1,1]");
    EXPECT_EQ(Merge("append", "", "[1]", "[2]"), "[1,2]");
    EXPECT_EQ(Merge("append", R"({"log":[]})", R"({"log":["a"]})", R"({"log":["b"]})"),
              R"({"log":["a","b"]})");
    // More than appended: what one side removed is gone, what was inserted comes behind.
    EXPECT_EQ(Merge("append", "[1,2,3]", "[1,3,4]", "[0,1,2]"), "[1,4,0]");
    EXPECT_EQ(Merge("append", "[1,2,1]", "[2,1,5]", "[1,2,6]"), "[2,1,5,6]");
    EXPECT_EQ(Merge("append", "[1,1,1]", "[1,1,2]", "[1,3]"), "[1,2,3]");
    EXPECT_EQ(Merge("append", "1", "2", "3"), "2 |  modify/modify");
}

TEST(DocumentMergeTest, SetIsTheThreeWayUnion) {
    EXPECT_EQ(Merge("set", "[1,2,3]", "[3,1,4]", "[5,2,3,4.0]"), "[3,4,5]");
    EXPECT_EQ(Merge("set", "", R"(["a","a","b"])", R"(["c","b","c"])"), R"(["a","b","c"])");
    EXPECT_EQ(Merge("set", "[[1],{\"a\":1}]", "[[1.0],{\"a\":1},2]", "[{\"a\":10e-1},3]"), "[{\"a\":1},2,3]");
    EXPECT_EQ(Merge("set", R"({"t":[1],"n":1})", R"({"t":[2],"n":2})", R"({"t":[1,3],"n":3})", true),
              R"({"n":3,"t":[2,3]})");
    EXPECT_EQ(Merge("set", R"({"t":[1]})", "{}", R"({"t":[1,3]})"), R"({"t":[1,3]})");
}

TEST(DocumentMergeTest, ElementsWithAnIdentityMergeOneByOne) {
    const std::string base = R"([{"id":1,"n":1},{"id":2,"n":1},{"id":3,"n":1}])";
    EXPECT_EQ(Merge("by:id", base, R"([{"id":2,"n":1},{"id":1,"n":1,"x":1},{"id":4}])",
                    R"([{"id":1,"n":2},{"id":5},{"id":2,"n":1},{"id":3,"n":1}])"),
              R"([{"id":2,"n":1},{"id":1,"n":2,"x":1},{"id":4},{"id":5}])");
    // Paths: the index in ours, or where it would be appended.
    EXPECT_EQ(Merge("by:id", base, R"([{"id":3,"n":2},{"id":2,"n":2}])",
                    R"([{"id":9},{"id":1,"n":3},{"id":2,"n":3},{"id":3,"n":1}])"),
              R"([{"id":3,"n":2},{"id":2,"n":2},{"id":9}] | /1/n modify/modify | /3 delete/modify)");
    EXPECT_EQ(Merge("by:id", base, "[]", base.substr(0, base.size() - 1) + R"(,{"id":4}])"), R"([{"id":4}])");
    EXPECT_EQ(Merge("by:id", "", R"([{"id":"a","n":[1]}])", R"([{"id":"a","n":[2]}])"),
              R"([{"id":"a","n":[1]}] | /0/n array)");
}

TEST(DocumentMergeTest, ElementsWithoutAnIdentityConflict) {
    for (const char* theirs : {R"([{"id":1},{"n":1}])", R"([{"id":1},5])", R"([{"id":1},{"id":1.0}])"}) {
        EXPECT_EQ(Merge("by:id", "[]", R"([{"id":2}])", theirs), R"([{"id":2}] |  array)") << theirs;
    }
    EXPECT_EQ(Merge("by:id", "[1]", R"([{"id":2}])", R"([{"id":3}])"), R"([{"id":2}] |  array)");
}

// --- numbers ---

TEST(DocumentMergeTest, CountersAddUp) {
    EXPECT_EQ(Merge("counter", "10", "15", "12"), "17");
    EXPECT_EQ(Merge("counter", "10", "15", "15"), "20");
    EXPECT_EQ(Merge("counter", "", "5", "5"), "10");
    EXPECT_EQ(Merge("counter", "10", "10", "12"), "12");
    EXPECT_EQ(Merge("counter", R"({"a":{"n":0.1}})", R"({"a":{"n":0.3}})", R"({"a":{"n":-0.1},"b":1})"),
              R"({"a":{"n":0.1},"b":1})");
    EXPECT_EQ(Merge("counter", "9007199254740993", "9007199254740994", "9007199254740995.5"),
              "9007199254740996.5");
    EXPECT_EQ(Merge("counter", "[1,1]", "[2,1]", "[3,4]"), "[4,4]");
    EXPECT_EQ(Merge("counter", "[1]", "[2,1]", "[3,4]", true), "[3,4]");
    EXPECT_EQ(Merge("counter", R"({"n":1})", R"({"n":2,"s":"x"})", R"({"n":2,"s":"y"})", true),
              R"({"n":3,"s":"y"})");
    EXPECT_EQ(Merge("counter", "1", "", "2"), "2");
    EXPECT_EQ(Merge("counter", "1", "7", "", true), "7");
    EXPECT_EQ(Merge("counter", "1", "1e131072", "2", true), "2");
}

TEST(DocumentMergeTest, MaxAndMinCompareExactly) {
    EXPECT_EQ(Merge("max", "1", "9007199254740993", "9007199254740992.9"), "9007199254740993");
    EXPECT_EQ(Merge("min", "1", "9007199254740993", "9007199254740992.9"), "9007199254740992.9");
    EXPECT_EQ(Merge("max", "5", "5", "3"), "3");  // only one side changed it
    EXPECT_EQ(Merge("min", R"({"a":[0,0]})", R"({"a":[-1,7]})", R"({"a":[-2,8]})"), R"({"a":[-2,7]})");
    EXPECT_EQ(Merge("max", "1", "\"x\"", "2"), "\"x\"");
}

TEST(DocumentMergeTest, LwwTakesTheWholeOfTheLaterSide) {
    EXPECT_EQ(Merge("lww", R"({"a":1})", R"({"a":2})", R"({"a":1,"b":1})", true), R"({"a":1,"b":1})");
    EXPECT_EQ(Merge("lww", R"({"a":1})", R"({"a":2})", R"({"a":1,"b":1})", false), R"({"a":2})");
    EXPECT_EQ(Merge("lww", "1", "2", "", true), "");
    EXPECT_EQ(Merge("lww", "1", "2", "", false), "2");
    EXPECT_EQ(Merge("lww", "1", "1", "3", false), "3");
}

// --- resolutions ---

TEST(DocumentMergeTest, AResolverSettlesConflicts) {
    const auto merge = [](Resolution resolution) {
        const Resolver resolver = [&resolution](const MergeConflict& conflict) {
            return conflict.path == "/a" ? std::optional(resolution) : std::nullopt;
        };
        const MergedDocument merged = MergeDocuments(Doc(R"({"a":1,"b":1})"), Doc(R"({"a":2,"b":2})"),
                                                     Doc(R"({"a":3,"b":3})"), {}, false, resolver);
        EXPECT_EQ(merged.conflicts.size(), 1u);
        EXPECT_EQ(merged.conflicts[0].path, "/b");
        return Text(merged.value);
    };
    EXPECT_EQ(merge({Resolution::Kind::kOurs, {}}), R"({"a":2,"b":2})");
    EXPECT_EQ(merge({Resolution::Kind::kTheirs, {}}), R"({"a":3,"b":2})");
    EXPECT_EQ(merge({Resolution::Kind::kBase, {}}), R"({"a":1,"b":2})");
    EXPECT_EQ(merge({Resolution::Kind::kDelete, {}}), R"({"b":2})");
    EXPECT_EQ(merge({Resolution::Kind::kValue, *Doc("[9]")}), R"({"a":[9],"b":2})");
}

TEST(DocumentMergeTest, BaseOfSomethingAddedIsNothing) {
    const MergedDocument merged =
        MergeDocuments(Doc(""), Doc("1"), Doc("2"), {}, false, ResolveAll(Resolution::Kind::kBase));
    EXPECT_FALSE(merged.value.has_value());
    EXPECT_TRUE(merged.conflicts.empty());
}

TEST(DocumentMergeTest, AConflictDeepDownIsFound) {
    std::string open;
    std::string close;
    for (int i = 0; i < kMaxNesting - 1; i++) {
        open += R"({"a":)";
        close += "}";
    }
    const MergedDocument merged =
        MergeDocuments(Doc(open + "1" + close), Doc(open + "2" + close), Doc(open + "3" + close), {}, false);
    ASSERT_EQ(merged.conflicts.size(), 1u);
    EXPECT_EQ(merged.conflicts[0].path.size(), 2u * (kMaxNesting - 1));
}

// --- algebra ---

// Members of sets, in an order of their own.
Json Sorted(Json document) {
    if (document.IsObject()) {
        for (auto& [name, member] : document.object()) {
            member = Sorted(std::move(member));
        }
    } else if (document.IsArray()) {
        Json::Array& items = document.array();
        std::sort(items.begin(), items.end(),
                  [](const Json& left, const Json& right) { return left.ToText() < right.ToText(); });
    }
    return document;
}

// All numbers as the same digits, so that equal elements of sets are equal texts.
Json Plain(const Sides& document) {
    return document ? Json::Parse(CanonicalText(*document).OrThrow()).OrThrow() : Json::String("nothing");
}

RC_GTEST_PROP(DocumentMergeAlgebra, NoChangeAndEqualChangesAreNoConflict, ()) {
    const PolicySpec policy = AnyPolicy();
    const ThreeSides sides = SmallSides();
    const bool later = *rc::gen::arbitrary<bool>();
    const auto is = [&](const Sides& base, const Sides& ours, const Sides& theirs, const Sides& expected) {
        const MergedDocument merged = MergeDocuments(base, ours, theirs, policy, later);
        RC_ASSERT(merged.conflicts.empty());
        RC_ASSERT(SameSides(merged.value, expected));
    };
    is(sides.base, sides.ours, sides.base, sides.ours);
    is(sides.base, sides.base, sides.ours, sides.ours);
    is(sides.ours, sides.ours, sides.ours, sides.ours);
    if (policy.policy != MergePolicy::kCounter) {  // which counts both
        is(sides.base, sides.ours, sides.ours, sides.ours);
    }
}

RC_GTEST_PROP(DocumentMergeAlgebra, WithoutConflictsTheSidesCanBeSwapped, ()) {
    PolicySpec policy = AnyPolicy();
    RC_PRE(policy.policy != MergePolicy::kAppend && policy.policy != MergePolicy::kById);
    const ThreeSides sides = SmallSides();
    const bool later = *rc::gen::arbitrary<bool>();
    const MergedDocument merged = MergeDocuments(sides.base, sides.ours, sides.theirs, policy, later);
    const MergedDocument swapped = MergeDocuments(sides.base, sides.theirs, sides.ours, policy, !later);
    RC_ASSERT(merged.conflicts.size() == swapped.conflicts.size());
    if (merged.conflicts.empty()) {
        Json one = Plain(merged.value);
        Json other = Plain(swapped.value);
        if (policy.policy == MergePolicy::kSet) {  // the order of a set is that of one side
            one = Sorted(std::move(one));
            other = Sorted(std::move(other));
        }
        RC_ASSERT(one.ToText() == other.ToText());
    }
    for (size_t i = 0; i < merged.conflicts.size(); i++) {
        RC_ASSERT(merged.conflicts[i].path == swapped.conflicts[i].path);
        RC_ASSERT(merged.conflicts[i].ours == swapped.conflicts[i].theirs);
    }
}

RC_GTEST_PROP(DocumentMergeAlgebra, ConvergentPoliciesNeverConflict, ()) {
    const PolicySpec policy = AnyPolicy();
    RC_PRE(policy.convergent());
    const ThreeSides sides = SmallSides();
    const Resolver fail = [](const MergeConflict&) -> std::optional<Resolution> {
        RC_FAIL("asked to resolve a conflict");
    };
    const MergedDocument merged =
        MergeDocuments(sides.base, sides.ours, sides.theirs, policy, *rc::gen::arbitrary<bool>(), fail);
    RC_ASSERT(merged.conflicts.empty());
}

// What is in `document` at `path`; nullptr: nothing.
const Json* At(const Sides& document, const std::string& path) {
    const Json* json = document ? &*document : nullptr;
    for (const std::string& token : ParseJsonPointer(path).OrThrow()) {
        json = json == nullptr ? nullptr : json->Find(token);
    }
    return json;
}

RC_GTEST_PROP(DocumentMergeAlgebra, ResolvedConflictsAreGoneAndHoldWhatWasChosen, ()) {
    const ThreeSides sides = SmallSides();
    const MergedDocument open = MergeDocuments(sides.base, sides.ours, sides.theirs, {}, false);
    const MergedDocument ours =
        MergeDocuments(sides.base, sides.ours, sides.theirs, {}, false, ResolveAll(Resolution::Kind::kOurs));
    const MergedDocument theirs = MergeDocuments(sides.base, sides.ours, sides.theirs, {}, false,
                                                 ResolveAll(Resolution::Kind::kTheirs));
    RC_ASSERT(ours.conflicts.empty());
    RC_ASSERT(theirs.conflicts.empty());
    RC_ASSERT(open.value == ours.value);  // where a conflict is left, the value is that of ours
    for (const MergeConflict& conflict : open.conflicts) {
        const auto holds = [&conflict](const Sides& document, const Sides& expected) {
            const Json* found = At(document, conflict.path);
            RC_ASSERT((found == nullptr ? std::nullopt : Sides(*found)) == expected);
        };
        holds(ours.value, conflict.ours);
        holds(theirs.value, conflict.theirs);
        holds(sides.ours, conflict.ours);
        holds(sides.theirs, conflict.theirs);
    }
}

// Resolving one by one, by path, ends where resolving at once does: what merge_continue relies on.
RC_GTEST_PROP(DocumentMergeAlgebra, ResolutionsAreFoundAgainByPath, ()) {
    PolicySpec policy = AnyPolicy();
    const ThreeSides sides = SmallSides();
    const MergedDocument open = MergeDocuments(sides.base, sides.ours, sides.theirs, policy, false);
    std::map<std::string, Resolution> resolutions;
    for (const MergeConflict& conflict : open.conflicts) {
        RC_ASSERT(resolutions.emplace(conflict.path, Resolution{Resolution::Kind::kDelete, {}}).second);
        const MergedDocument merged = MergeDocuments(
            sides.base, sides.ours, sides.theirs, policy, false,
            [&resolutions](const MergeConflict& found) -> std::optional<Resolution> {
                const auto known = resolutions.find(found.path);
                return known == resolutions.end() ? std::nullopt : std::optional(known->second);
            });
        RC_ASSERT(merged.conflicts.size() == open.conflicts.size() - resolutions.size());
        RC_ASSERT(std::equal(merged.conflicts.begin(), merged.conflicts.end(),
                             open.conflicts.begin() + static_cast<ptrdiff_t>(resolutions.size())));
    }
}

}  // namespace
}  // namespace kvs::test
