#include "kvs/merge/entry_merge.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "documents.h"

namespace kvs::test {
namespace {

using Outcome = MergedEntry::Outcome;
using Kind = Resolution::Kind;

// One side, written like a sentence: Side().Json("1").Version(3).Tags({"a"}).
class Side {
  public:
    Side& Json(std::string text) { return Holds(ValueType::kJson, std::move(text)); }
    Side& Bytes(std::string bytes) { return Holds(ValueType::kBytes, std::move(bytes)); }
    Side& Deleted() {
        metadata_.deleted = true;
        written_ = true;
        return *this;
    }
    Side& Version(uint64_t version) {
        metadata_.version = version;
        metadata_.change.seq = version;
        return *this;
    }
    Side& At(Timestamp updated_at) {
        metadata_.updated_at = updated_at;
        return *this;
    }
    Side& Expires(Timestamp at) {
        value_->expires_at = at;
        return *this;
    }
    Side& Tags(std::vector<std::string> tags) {
        metadata_.tags = std::move(tags);
        return *this;
    }
    Side& Schema(std::string hash) {
        metadata_.schema_hash = std::move(hash);
        return *this;
    }

    // A view of this.
    EntrySide Get() const {
        EntrySide side;
        if (written_) {
            side.metadata = metadata_;
        }
        if (value_) {
            side.item = DataItem{value_->type, value_->expires_at, value_->payload, std::nullopt};
        }
        return side;
    }

  private:
    Side& Holds(ValueType type, std::string payload) {
        value_ = Value{type, std::nullopt, std::move(payload)};
        written_ = true;
        return *this;
    }

    Metadata metadata_;
    bool written_ = false;
    std::optional<Value> value_;
};

MergedEntry Merge(const char* policy, const Side& base, const Side& ours, const Side& theirs,
                  const Resolver& resolver = {}) {
    JsonTextCodec codec;
    return MergeEntry(base.Get(), ours.Get(), theirs.Get(), ParseMergePolicy(policy).OrThrow(), codec,
                      resolver);
}

Resolver ResolveWith(Kind kind, const char* value = "null") {
    return [resolution = Resolution{kind, Json::Parse(value).OrThrow()}](const MergeConflict&) {
        return resolution;
    };
}

std::string Payload(const MergedEntry& merged) {
    EXPECT_EQ(merged.outcome, Outcome::kMerged);
    return merged.value ? merged.value->payload : "deleted";
}

void ExpectOneConflict(const MergedEntry& merged, const char* reason) {
    EXPECT_EQ(merged.outcome, Outcome::kOurs);
    EXPECT_FALSE(merged.value.has_value());
    ASSERT_EQ(merged.conflicts.size(), 1u);
    EXPECT_EQ(merged.conflicts[0].path, "");
    EXPECT_STREQ(MergeReasonName(merged.conflicts[0].reason), reason);
}

// --- one side, or both alike ---

TEST(EntryMergeTest, EqualContentIsThatOfTheHigherVersion) {
    const Side base = Side().Json("1").Version(1);
    const auto outcome = [&base](uint64_t ours, uint64_t theirs) {
        return Merge("conflict", base, Side().Json("2").Version(ours), Side().Json("2").Version(theirs))
            .outcome;
    };
    EXPECT_EQ(outcome(2, 2), Outcome::kOurs);
    EXPECT_EQ(outcome(3, 2), Outcome::kOurs);
    EXPECT_EQ(outcome(2, 3), Outcome::kTheirs);
    EXPECT_EQ(Merge("conflict", base, Side().Deleted().Version(2), Side().Deleted().Version(3)).outcome,
              Outcome::kTheirs);
}

TEST(EntryMergeTest, OneSidedChangesAreTakenOver) {
    const Side base = Side().Json("1").Version(1).Tags({"a"});
    const std::vector<Side> changed = {Side().Json("2").Tags({"a"}),
                                       Side().Json("1"),
                                       Side().Json("1").Tags({"a"}).Expires(9),
                                       Side().Json("1").Tags({"a"}).Schema("s"),
                                       Side().Bytes("1").Tags({"a"}),
                                       Side().Deleted()};
    for (const Side& side : changed) {
        const Side rewritten = Side().Json("1").Version(7).Tags({"a"});  // the same content again
        for (const char* policy : {"conflict", "counter", "lww", "set"}) {
            EXPECT_EQ(Merge(policy, base, rewritten, side).outcome, Outcome::kTheirs);
            EXPECT_EQ(Merge(policy, base, side, rewritten).outcome, Outcome::kOurs);
        }
    }
    EXPECT_EQ(Merge("conflict", Side(), Side(), Side().Json("1")).outcome, Outcome::kTheirs);
    EXPECT_EQ(Merge("conflict", Side().Deleted(), Side().Json("1"), Side().Deleted()).outcome,
              Outcome::kOurs);
}

TEST(EntryMergeTest, EqualIncrementsCountTwiceUnlessTheyAreOneChange) {
    const Side base = Side().Json("10").Version(1);
    EXPECT_EQ(Payload(Merge("counter", base, Side().Json("15").Version(2), Side().Json("15").Version(3))),
              "20");
    EXPECT_EQ(Merge("counter", base, Side().Json("15").Version(2), Side().Json("15").Version(2)).outcome,
              Outcome::kOurs);
    const MergedEntry no_number =
        Merge("counter", base, Side().Json("\"x\"").Version(2), Side().Json("\"x\"").Version(3));
    EXPECT_EQ(no_number.outcome, Outcome::kTheirs);
}

// --- documents ---

TEST(EntryMergeTest, DocumentsMerge) {
    const Side base = Side().Json(R"({"a":1,"b":1})");
    const MergedEntry merged =
        Merge("conflict", base, Side().Json(R"({"a":2,"b":1})"), Side().Json(R"({"a":1,"b":2})"));
    EXPECT_EQ(Payload(merged), R"({"a":2,"b":2})");
    EXPECT_EQ(merged.value->type, ValueType::kJson);
    EXPECT_TRUE(merged.conflicts.empty());
    ASSERT_TRUE(merged.item().has_value());
    EXPECT_EQ(merged.item()->payload, merged.value->payload);
}

TEST(EntryMergeTest, WhatComesOutAsItWasKeepsItsBytes) {
    const Side base = Side().Json(R"({"a":1,"b":1})");
    EXPECT_EQ(
        Merge("conflict", base, Side().Json(R"({ "a":2, "b":2 })"), Side().Json(R"({"a":1,"b":2})")).outcome,
        Outcome::kOurs);
    EXPECT_EQ(
        Merge("conflict", base, Side().Json(R"({"a":1.0,"b":2})"), Side().Json(R"({"a":2,"b":2})")).outcome,
        Outcome::kTheirs);
    // Another way to write a number is a change of bytes.
    EXPECT_EQ(
        Payload(Merge("conflict", base, Side().Json(R"({"a":1.0,"b":1})"), Side().Json(R"({"a":1,"b":2})"))),
        R"({"a":1.0,"b":2})");
}

TEST(EntryMergeTest, ConflictsInDocumentsLeaveOurs) {
    const Side base = Side().Json(R"({"a":1,"b":1})");
    const Side ours = Side().Json(R"({"a":2,"b":1})");
    const Side theirs = Side().Json(R"({"a":3,"b":2})");
    const MergedEntry merged = Merge("conflict", base, ours, theirs);
    EXPECT_EQ(Payload(merged), R"({"a":2,"b":2})");
    ASSERT_EQ(merged.conflicts.size(), 1u);
    EXPECT_EQ(merged.conflicts[0].path, "/a");
    EXPECT_EQ(Merge("conflict", base, ours, theirs, ResolveWith(Kind::kTheirs)).outcome, Outcome::kTheirs);
    EXPECT_EQ(Payload(Merge("conflict", base, ours, theirs, ResolveWith(Kind::kValue, "[7]"))),
              R"({"a":[7],"b":2})");
    EXPECT_EQ(Payload(Merge("conflict", Side().Json("1"), Side().Json("2"), Side().Json("3"),
                            ResolveWith(Kind::kDelete))),
              "deleted");
}

TEST(EntryMergeTest, LaterIsByTimeAndThenByPayload) {
    const Side base = Side().Json("1");
    const auto outcome = [&base](Timestamp ours, Timestamp theirs) {
        return Merge("lww", base, Side().Json("3").At(ours), Side().Json("2").At(theirs)).outcome;
    };
    EXPECT_EQ(outcome(5, 6), Outcome::kTheirs);
    EXPECT_EQ(outcome(6, 5), Outcome::kOurs);
    EXPECT_EQ(outcome(5, 5), Outcome::kOurs);
    EXPECT_EQ(Merge("lww", base, Side().Json("2").At(5), Side().Json("3").At(5)).outcome, Outcome::kTheirs);
    EXPECT_EQ(Merge("counter", base, Side().Json("\"a\"").At(5), Side().Json("\"b\"").At(4)).outcome,
              Outcome::kOurs);
    EXPECT_EQ(Merge("lww", base, Side().Deleted().At(5), Side().Json("2").At(5)).outcome, Outcome::kTheirs);
}

// --- deletions ---

TEST(EntryMergeTest, DeletionAgainstModificationIsAConflict) {
    const Side base = Side().Json("1").Tags({"a"});
    const Side modified = Side().Json("2").Tags({"b"}).Expires(9);
    const Side deleted = Side().Deleted();
    ExpectOneConflict(Merge("conflict", base, deleted, modified), "delete/modify");
    ExpectOneConflict(Merge("append", base, modified, deleted), "modify/delete");
    ExpectOneConflict(Merge("by:id", base, Side().Json("1"), deleted), "modify/delete");  // tags only

    const MergedEntry open = Merge("conflict", base, deleted, modified);
    EXPECT_EQ(open.conflicts[0].base, Json::Integer(1));
    EXPECT_EQ(open.conflicts[0].ours, std::nullopt);
    EXPECT_EQ(open.conflicts[0].theirs, Json::Integer(2));

    const auto resolve = [&](Kind kind, const char* value = "null") {
        return Merge("conflict", base, deleted, modified, ResolveWith(kind, value));
    };
    EXPECT_EQ(resolve(Kind::kOurs).outcome, Outcome::kOurs);
    EXPECT_EQ(resolve(Kind::kDelete).outcome, Outcome::kOurs);
    EXPECT_EQ(resolve(Kind::kTheirs).outcome, Outcome::kTheirs);
    EXPECT_EQ(Merge("conflict", base, modified, deleted, ResolveWith(Kind::kDelete)).outcome,
              Outcome::kTheirs);
    const MergedEntry back = resolve(Kind::kBase);
    EXPECT_EQ(Payload(back), "1");
    EXPECT_EQ(back.tags, std::vector<std::string>{"a"});
    EXPECT_EQ(back.value->expires_at, std::nullopt);
    const MergedEntry value = resolve(Kind::kValue, "[5]");
    EXPECT_EQ(Payload(value), "[5]");
    EXPECT_EQ(value.tags, std::vector<std::string>{"b"});
    EXPECT_EQ(value.value->expires_at, 9);
    EXPECT_TRUE(value.conflicts.empty());
}

TEST(EntryMergeTest, ConvergentPoliciesDecideAboutDeletions) {
    const Side base = Side().Json("1");
    for (const char* policy : {"counter", "set", "max", "min"}) {
        EXPECT_EQ(Merge(policy, base, Side().Deleted().At(9), Side().Json("2")).outcome, Outcome::kTheirs);
        EXPECT_EQ(Merge(policy, base, Side().Json("2"), Side().Deleted().At(9)).outcome, Outcome::kOurs);
    }
    EXPECT_EQ(Merge("lww", base, Side().Deleted().At(9), Side().Json("2")).outcome, Outcome::kOurs);
    EXPECT_EQ(Merge("lww", base, Side().Json("2"), Side().Deleted().At(9)).outcome, Outcome::kTheirs);
}

// --- bytes ---

TEST(EntryMergeTest, BytesThatBothChangedConflict) {
    const Side base = Side().Bytes("a");
    const Side ours = Side().Bytes(std::string("\0\xff", 2));
    const Side theirs = Side().Bytes("c");
    const MergedEntry open = Merge("conflict", base, ours, theirs);
    ExpectOneConflict(open, "modify/modify");
    EXPECT_EQ(open.conflicts[0].base, Json::String("\\x61"));
    EXPECT_EQ(open.conflicts[0].ours, Json::String("\\x00ff"));
    EXPECT_EQ(open.conflicts[0].theirs, Json::String("\\x63"));
    ExpectOneConflict(Merge("conflict", Side(), ours, theirs), "add/add");
    EXPECT_EQ(Merge("conflict", base, ours, theirs, ResolveWith(Kind::kOurs)).outcome, Outcome::kOurs);
    EXPECT_EQ(Merge("conflict", base, ours, theirs, ResolveWith(Kind::kTheirs)).outcome, Outcome::kTheirs);
    const MergedEntry back = Merge("conflict", base, ours, theirs, ResolveWith(Kind::kBase));
    EXPECT_EQ(Payload(back), "a");
    EXPECT_EQ(back.value->type, ValueType::kBytes);
    EXPECT_EQ(Payload(Merge("conflict", base, ours, theirs, ResolveWith(Kind::kDelete))), "deleted");
    EXPECT_EQ(Payload(Merge("conflict", Side(), ours, theirs, ResolveWith(Kind::kBase))), "deleted");
    EXPECT_EQ(Merge("max", base, Side().Bytes("b").At(2), Side().Bytes("c").At(1)).outcome, Outcome::kOurs);
}

TEST(EntryMergeTest, BytesCannotBeResolvedWithAValue) {
    const Side base = Side().Bytes("a");
    for (const Side& ours : {Side().Bytes("b"), Side().Deleted()}) {
        try {
            Merge("conflict", base, ours, Side().Bytes("c"), ResolveWith(Kind::kValue));
            FAIL() << "a value was accepted";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::kWrongType);
            EXPECT_FALSE(error.hint().empty());
        }
    }
}

TEST(EntryMergeTest, ADocumentAgainstBytesIsAConflictOfType) {
    const Side base = Side().Json("1");
    const Side ours = Side().Bytes("2");
    const Side theirs = Side().Json("2");
    ExpectOneConflict(Merge("conflict", base, ours, theirs), "type");
    EXPECT_EQ(Payload(Merge("conflict", base, ours, theirs, ResolveWith(Kind::kValue, "3"))), "3");
    EXPECT_EQ(Merge("conflict", base, ours, theirs, ResolveWith(Kind::kTheirs)).outcome, Outcome::kTheirs);
    EXPECT_EQ(Merge("set", base, Side().Bytes("2").At(1), Side().Json("2").At(2)).outcome, Outcome::kTheirs);
}

// --- what stands beside the value ---

TEST(EntryMergeTest, ExpiryIsOfTheSideThatChangedItOrTheLater) {
    // The document changes in ours, so that the entry has to be merged.
    const auto merged = [](std::optional<Timestamp> base, std::optional<Timestamp> ours,
                           std::optional<Timestamp> theirs) -> std::optional<Timestamp> {
        const auto side = [](const char* text, std::optional<Timestamp> at) {
            Side made = Side().Json(text);
            return at ? made.Expires(*at) : made;
        };
        const MergedEntry entry = Merge("conflict", side(R"({"n":1})", base), side(R"({"n":1,"o":1})", ours),
                                        side(R"({"n":1,"t":1})", theirs));
        EXPECT_EQ(Payload(entry), R"({"n":1,"o":1,"t":1})");
        return entry.value->expires_at;
    };
    EXPECT_EQ(merged(5, 5, 3), 3);
    EXPECT_EQ(merged(5, 3, 5), 3);
    EXPECT_EQ(merged(5, 3, 4), 4);
    EXPECT_EQ(merged(5, 7, 6), 7);
    EXPECT_EQ(merged(5, std::nullopt, 5), std::nullopt);
    EXPECT_EQ(merged(5, std::nullopt, 6), std::nullopt);
    EXPECT_EQ(merged(5, 6, std::nullopt), std::nullopt);
    EXPECT_EQ(merged(std::nullopt, 6, std::nullopt), 6);
    EXPECT_EQ(merged(std::nullopt, std::nullopt, std::nullopt), std::nullopt);
}

TEST(EntryMergeTest, WithoutABaseTheLaterExpiryHolds) {
    EXPECT_EQ(Merge("conflict", Side(), Side().Json("{}").Expires(5), Side().Json("{}").Expires(6)).outcome,
              Outcome::kTheirs);
    EXPECT_EQ(Merge("conflict", Side(), Side().Json("{}"), Side().Json("{}").Expires(6)).outcome,
              Outcome::kOurs);
}

TEST(EntryMergeTest, TagsAreSetsAndTheSchemaIsOfTheSideThatChangedIt) {
    const Side base = Side().Json("1").Tags({"a", "b"}).Schema("s");
    const MergedEntry merged = Merge("conflict", base, Side().Json("1").Tags({"o", "b"}).Schema("s"),
                                     Side().Json("2").Tags({"t", "a", "b"}).Schema("s2"));
    EXPECT_EQ(Payload(merged), "2");
    EXPECT_EQ(merged.tags, (std::vector<std::string>{"o", "b", "t"}));
    EXPECT_EQ(merged.schema_hash, "s2");
    const auto schema = [&base](const Side& ours, const Side& theirs) {
        return Merge("conflict", base, ours, theirs).schema_hash;
    };
    EXPECT_EQ(schema(Side().Json("1").Tags({"a", "b"}), Side().Json("2").Tags({"a", "b"}).Schema("s")),
              std::nullopt);
    EXPECT_EQ(schema(Side().Json("1").Tags({"a"}).Schema("o"), Side().Json("2").Tags({"a", "b"}).Schema("t")),
              "t");
}

// Whether an entry may become too large or not is of no concern here; who calls may count on what follows.
RC_GTEST_PROP(EntryMergeAlgebra, TheOutcomeIsWhatItSays, ()) {
    const PolicySpec policy = AnyPolicy();
    const auto any_side = [](const Json& document) {
        Side side = Pick(8) == 0   ? Side().Deleted()
                    : Pick(8) == 0 ? Side().Bytes(Pick(2) == 0 ? "x" : "y")
                                   : Side().Json(document.ToText());
        side.Version(Pick(4)).At(Pick(3));
        if (side.Get().item && Pick(3) == 0) {
            side.Expires(Pick(3));
        }
        if (Pick(3) == 0) {
            side.Tags({"t" + std::to_string(Pick(3))});
        }
        return side;
    };
    const Json document = SmallDocument();
    const Side base = any_side(document);
    const Side ours = any_side(Edited(document));
    const Side theirs = any_side(Edited(document));
    JsonTextCodec codec;
    const auto merge = [&](const Side& left, const Side& right, const Resolver& resolver = {}) {
        return MergeEntry(base.Get(), left.Get(), right.Get(), policy, codec, resolver);
    };
    const MergedEntry merged = merge(ours, theirs);
    RC_ASSERT(merged.conflicts.empty() || !policy.convergent());
    RC_ASSERT((merged.outcome == Outcome::kMerged) || !merged.value.has_value());
    RC_ASSERT(merge(base, theirs).outcome != Outcome::kMerged);
    RC_ASSERT(merge(ours, base).outcome != Outcome::kMerged);
    RC_ASSERT(merge(ours, ours).outcome == Outcome::kOurs);
    // Strategies leave nothing open; a conflict left is ours.
    const MergedEntry resolved = merge(ours, theirs, ResolveAll(Kind::kOurs));
    RC_ASSERT(resolved.conflicts.empty());
    RC_ASSERT(merge(ours, theirs, ResolveAll(Kind::kTheirs)).conflicts.empty());
    RC_ASSERT(resolved.outcome == merged.outcome);
    RC_ASSERT(resolved.value == merged.value);
    // From the other side the same entries conflict.
    RC_ASSERT(merge(theirs, ours).conflicts.empty() == merged.conflicts.empty());
}

TEST(EntryMergeTest, DocumentsThatAreTooLargeTogetherConflict) {
    const auto with = [](const char* member) {
        return Side().Json("{\"" + std::string(member) + "\":\"" + std::string(9'000'000, 'x') + "\"}");
    };
    const Side base = Side().Json("{}");
    const Side ours = with("a").Version(2);
    const Side theirs = with("b").Version(3).At(1);
    ExpectOneConflict(Merge("conflict", base, ours, theirs), "size");
    EXPECT_EQ(Merge("conflict", base, ours, theirs, ResolveAll(Kind::kOurs)).outcome, Outcome::kOurs);
    EXPECT_EQ(Merge("conflict", base, ours, theirs, ResolveAll(Kind::kTheirs)).outcome, Outcome::kTheirs);
    EXPECT_EQ(Payload(Merge("conflict", base, ours, theirs, ResolveWith(Kind::kValue, "1"))), "1");
    EXPECT_EQ(Payload(Merge("conflict", base, ours, theirs, ResolveAll(Kind::kDelete))), "deleted");
    // Policies that leave no conflict take the later side.
    EXPECT_EQ(Merge("lww", base, ours, theirs).outcome, Outcome::kTheirs);
    EXPECT_EQ(Merge("set", base, theirs, ours).outcome, Outcome::kOurs);
}

TEST(EntryMergeTest, TheTextCodecReportsDamage) {
    JsonTextCodec codec;
    EXPECT_EQ(codec.Encode(codec.Decode(" [1.50] ")), "[1.50]");
    try {
        codec.Decode("[1");
        FAIL() << "bad JSON was accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorruption);
    }
}

}  // namespace
}  // namespace kvs::test
