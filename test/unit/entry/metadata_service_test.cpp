#include "kvs/entry/metadata_service.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "unit/error_of.h"

namespace kvs {
namespace {

using test::CodeOf;
using test::ErrorOf;

const StandardMetadataService service;
const ChangeId change{{1, 2, 3}, 42};

WriteOptions Tagged(std::vector<std::string> tags) {
    WriteOptions options;
    options.tags = std::move(tags);
    return options;
}

TEST(MetadataServiceTest, FirstWriteStartsAtVersionOne) {
    WriteOptions options;
    options.modified_by = "ada";
    options.comment = "first";
    options.tags = {"a", "b"};
    options.schema_hash = "5c";
    const Metadata first = service.Next(nullptr, options, 100, change);
    Metadata expected;
    expected.version = 1;
    expected.created_at = 100;
    expected.updated_at = 100;
    expected.change = change;
    expected.modified_by = "ada";
    expected.comment = "first";
    expected.tags = {"a", "b"};
    expected.schema_hash = "5c";
    EXPECT_EQ(first, expected);
}

TEST(MetadataServiceTest, NextWriteKeepsWhatBelongsToTheEntry) {
    WriteOptions options = Tagged({"a"});
    options.modified_by = "ada";
    options.comment = "first";
    options.schema_hash = "5c";
    const Metadata first = service.Next(nullptr, options, 100, change);
    const ChangeId other{{}, 43};
    const Metadata second = service.Next(&first, {}, 200, other);
    EXPECT_EQ(second.version, 2u);
    EXPECT_FALSE(second.deleted);
    EXPECT_EQ(second.created_at, 100);
    EXPECT_EQ(second.updated_at, 200);
    EXPECT_EQ(second.change, other);
    EXPECT_EQ(second.tags, first.tags);
    EXPECT_EQ(second.schema_hash, "5c");
    EXPECT_EQ(second.modified_by, "");
    EXPECT_FALSE(second.comment.has_value());
}

TEST(MetadataServiceTest, GivenTagsAndSchemaReplaceAndEmptyOnesClear) {
    WriteOptions options = Tagged({"a", "b"});
    options.schema_hash = "5c";
    const Metadata first = service.Next(nullptr, options, 100, change);
    options = Tagged({"c"});
    options.schema_hash = "6d";
    const Metadata replaced = service.Next(&first, options, 200, change);
    EXPECT_EQ(replaced.tags, std::vector<std::string>{"c"});
    EXPECT_EQ(replaced.schema_hash, "6d");
    options = Tagged({});
    options.schema_hash = "";
    const Metadata cleared = service.Next(&replaced, options, 300, change);
    EXPECT_TRUE(cleared.tags.empty());
    EXPECT_FALSE(cleared.schema_hash.has_value());
}

TEST(MetadataServiceTest, TombstoneTakesAVersionAndDropsTagsAndSchema) {
    WriteOptions options = Tagged({"a"});
    options.schema_hash = "5c";
    const Metadata first = service.Next(nullptr, options, 100, change);
    WriteOptions reason = Tagged({"ignored"});
    reason.comment = "gone";
    reason.modified_by = "ada";
    const Metadata tombstone = service.Tombstone(first, reason, 200, change);
    Metadata expected;
    expected.version = 2;
    expected.deleted = true;
    expected.created_at = 100;
    expected.updated_at = 200;
    expected.change = change;
    expected.modified_by = "ada";
    expected.comment = "gone";
    EXPECT_EQ(tombstone, expected);
}

TEST(MetadataServiceTest, ReCreationRestartsAllButTheVersion) {
    const Metadata first = service.Next(nullptr, Tagged({"a"}), 100, change);
    const Metadata tombstone = service.Tombstone(first, {}, 200, change);
    const Metadata again = service.Next(&tombstone, {}, 300, change);
    EXPECT_EQ(again.version, 3u);
    EXPECT_FALSE(again.deleted);
    EXPECT_EQ(again.created_at, 300);
    EXPECT_TRUE(again.tags.empty());
}

TEST(MetadataServiceTest, AnExpiredEntryCountsAsDeleted) {
    WriteOptions options = Tagged({"a"});
    options.schema_hash = "5c";
    const Metadata first = service.Next(nullptr, options, 100, change);
    const Metadata again = service.Next(Previous(&first, 200, 200), {}, 200, change);
    EXPECT_EQ(again.version, 2u);
    EXPECT_EQ(again.created_at, 200);
    EXPECT_TRUE(again.tags.empty());
    EXPECT_FALSE(again.schema_hash.has_value());
    const Metadata alive = service.Next(Previous(&first, 200, 199), {}, 199, change);
    EXPECT_EQ(alive.created_at, 100);
    EXPECT_EQ(alive.tags, std::vector<std::string>{"a"});
}

TEST(MetadataServiceTest, PreviousTellsTheStatesApart) {
    const Metadata living = service.Next(nullptr, {}, 100, change);
    const Metadata tombstone = service.Tombstone(living, {}, 100, change);
    EXPECT_FALSE(Previous().Exists());
    EXPECT_EQ(Previous().version(), 0u);
    EXPECT_TRUE(Previous(&living).Exists());
    EXPECT_FALSE(Previous(&living).Expired());
    EXPECT_FALSE(Previous(&living, true).Exists());
    EXPECT_TRUE(Previous(&living, true).Expired());
    EXPECT_EQ(Previous(&living, true).version(), 1u);
    EXPECT_FALSE(Previous(&tombstone).Exists());
    EXPECT_EQ(Previous(&tombstone).version(), 2u);
    EXPECT_FALSE(Previous(&tombstone, true).Expired()) << "a tombstone has nothing left to expire";
    EXPECT_FALSE(Previous(nullptr, true).Expired());
}

TEST(MetadataServiceTest, ExpiryIsAnExclusiveEnd) {
    EXPECT_FALSE(IsExpired(std::nullopt, 1'000'000));
    EXPECT_FALSE(IsExpired(100, 99));
    EXPECT_TRUE(IsExpired(100, 100));
    EXPECT_TRUE(IsExpired(-5, 0));
}

TEST(MetadataServiceTest, AdoptingNeverRewindsTheVersion) {
    WriteOptions options = Tagged({"old"});
    options.comment = "as it was";
    const Metadata old = service.Next(nullptr, options, 100, change);
    Metadata current = old;
    current.version = 5;
    current.tags = {"new"};
    const Metadata back = service.Adopt(&current, old, {}, 900, change);
    EXPECT_EQ(back.version, 6u);
    EXPECT_EQ(back.tags, old.tags);
    EXPECT_EQ(back.created_at, 100);
    EXPECT_EQ(back.updated_at, 900);
    EXPECT_EQ(back.comment, "as it was");

    Metadata ahead = old;
    ahead.version = 9;
    WriteOptions reset;
    reset.comment = "reset";
    reset.modified_by = "ada";
    const Metadata over = service.Adopt(&current, ahead, reset, 900, change);
    EXPECT_EQ(over.version, 10u);
    EXPECT_EQ(over.comment, "reset");
    EXPECT_EQ(over.modified_by, "ada");
    EXPECT_EQ(service.Adopt(nullptr, ahead, {}, 900, change).version, 10u);
    ahead.deleted = true;
    EXPECT_TRUE(service.Adopt(&current, ahead, {}, 900, change).deleted);
}

TEST(ExpectedVersionTest, ZeroMeansNoLivingEntry) {
    const Metadata living = service.Next(nullptr, {}, 100, change);
    const Metadata tombstone = service.Tombstone(living, {}, 100, change);
    EXPECT_TRUE(MatchesExpectedVersion(nullptr, 0));
    EXPECT_TRUE(MatchesExpectedVersion(&tombstone, 0));
    EXPECT_TRUE(MatchesExpectedVersion(Previous(&living, true), 0));
    EXPECT_FALSE(MatchesExpectedVersion(&living, 0));
}

TEST(ExpectedVersionTest, ANumberMeansALivingEntryAtExactlyThat) {
    Metadata living = service.Next(nullptr, {}, 100, change);
    living.version = 7;
    EXPECT_TRUE(MatchesExpectedVersion(&living, 7));
    EXPECT_FALSE(MatchesExpectedVersion(&living, 6));
    EXPECT_FALSE(MatchesExpectedVersion(&living, 8));
    EXPECT_FALSE(MatchesExpectedVersion(Previous(&living, true), 7));
    EXPECT_FALSE(MatchesExpectedVersion(nullptr, 7));
    const Metadata tombstone = service.Tombstone(living, {}, 100, change);
    EXPECT_FALSE(MatchesExpectedVersion(&tombstone, 8));
}

TEST(ExpectedVersionTest, TheErrorNamesKeyAndBothVersions) {
    Metadata living = service.Next(nullptr, {}, 100, change);
    living.version = 7;
    const auto message = [](const Previous& previous, int64_t expected) {
        const std::optional<Error> error =
            ErrorOf([&] { CheckExpectedVersion(previous, expected, "users:1"); });
        EXPECT_TRUE(error.has_value() && error->code() == ErrorCode::kStaleVersion && !error->hint().empty());
        return error.has_value() ? std::string(error->what()) : "no error";
    };
    EXPECT_EQ(message(&living, 6), "key \"users:1\" is at version 7, expected version 6");
    EXPECT_EQ(message(&living, 0), "key \"users:1\" exists at version 7, expected none");
    EXPECT_EQ(message(nullptr, 6), "key \"users:1\" does not exist, expected version 6");
    const Metadata tombstone = service.Tombstone(living, {}, 100, change);
    EXPECT_EQ(message(&tombstone, 8),
              "key \"users:1\" no longer exists (last version 8), expected version 8");
    EXPECT_EQ(message(Previous(&living, true), 7),
              "key \"users:1\" no longer exists (last version 7), expected version 7");
}

TEST(ExpectedVersionTest, AbsentOrMatchingPassesAndNegativeIsRefused) {
    const Metadata living = service.Next(nullptr, {}, 100, change);
    EXPECT_NO_THROW(CheckExpectedVersion(&living, std::nullopt, "k"));
    EXPECT_NO_THROW(CheckExpectedVersion(&living, 1, "k"));
    EXPECT_EQ(CodeOf([&] { CheckExpectedVersion(&living, -1, "k"); }), ErrorCode::kInvalidArgument);
}

// Any life of a key: versions are dense, created_at is the last birth, tags are those given since.
RC_GTEST_PROP(MetadataServiceProperty, LivesOfAKey, ()) {
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4));
    std::optional<Metadata> current;
    bool expired = false;
    Timestamp born = 0;
    std::vector<std::string> tags;
    for (size_t i = 0; i < steps.size(); ++i) {
        const Timestamp now = static_cast<Timestamp>(i) + 1;
        const bool alive = current.has_value() && !current->deleted && !expired;
        const Previous previous(current.has_value() ? &*current : nullptr, expired);
        RC_ASSERT(previous.Exists() == alive);
        const uint64_t version = previous.version();
        if (steps[i] == 3) {
            expired = true;
            continue;
        }
        if (steps[i] == 2) {
            if (!alive) {
                continue;
            }
            current = service.Tombstone(*current, {}, now, change);
        } else {
            const bool with_tags = steps[i] == 1;
            if (!alive) {
                born = now;
                tags.clear();
            }
            if (with_tags) {
                tags = {std::to_string(i)};
            }
            current = service.Next(previous, with_tags ? Tagged(tags) : WriteOptions{}, now, change);
            RC_ASSERT(current->created_at == born);
            RC_ASSERT(current->tags == tags);
        }
        expired = false;
        RC_ASSERT(current->version == version + 1);
        RC_ASSERT(current->updated_at == now);
    }
}

}  // namespace
}  // namespace kvs
