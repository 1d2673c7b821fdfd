#include "kvs/entry/write_decision.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "unit/write_cases.h"

namespace kvs {
namespace {

using test::CaseEntry;
using test::CaseWrite;
using test::WriteCase;

// The decision alone, of every kind of write.
class DecidedEntry final : public test::CaseStore {
  public:
    bool Knows(const std::string&) const override { return true; }

    void Write(const CaseWrite& write, Timestamp now) override {
        WriteRequest request = write.request;
        if (write.ttl.has_value()) {
            request.expires_at = now + *write.ttl;
        }
        const Previous previous(entry_.has_value() ? &entry_->metadata : nullptr,
                                entry_.has_value() ? entry_->expires_at : std::nullopt, now);
        const WriteDecision decision = DecideWrite("users:1", previous, request);
        EXPECT_EQ(decision.outcome == WriteDecision::Outcome::kTombstone, decision.metadata.deleted);
        EXPECT_EQ(decision.expires_at.has_value(), decision.metadata.expires);
        if (decision.outcome != WriteDecision::Outcome::kNothing) {
            entry_ = CaseEntry{decision.metadata, decision.expires_at};
        }
    }

    std::optional<CaseEntry> Newest() const override { return entry_; }

  private:
    std::optional<CaseEntry> entry_;
};

TEST(WriteDecision, Cases) {
    for (const WriteCase& write_case : test::WriteCases()) {
        DecidedEntry entry;
        EXPECT_TRUE(test::RunWriteCase(write_case, "users:1", entry)) << write_case.name;
    }
}

TEST(WriteDecision, NoKindTakesANegativeVersion) {
    for (const WriteKind kind : {WriteKind::kPut, WriteKind::kPatch, WriteKind::kCas, WriteKind::kTouch,
                                 WriteKind::kDelete, WriteKind::kExpire}) {
        WriteRequest request{.kind = kind};
        request.options.expected_version = -1;
        EXPECT_THROW(DecideWrite("k", Previous(nullptr, std::nullopt, 0), request), Error);
    }
}

TEST(Previous, TellsTheStatesApart) {
    Metadata living;
    living.version = 1;
    Metadata tombstone;
    tombstone.version = 2;
    tombstone.deleted = true;
    const Previous nothing(nullptr, 100, 100);
    EXPECT_FALSE(nothing.Exists());
    EXPECT_FALSE(nothing.Expired());
    EXPECT_EQ(nothing.version(), 0u);
    const Previous endless(&living, std::nullopt, 100);
    EXPECT_TRUE(endless.Exists());
    EXPECT_FALSE(endless.Expired());
    const Previous alive(&living, 101, 100);
    EXPECT_TRUE(alive.Exists());
    EXPECT_EQ(alive.expires_at(), 101);
    const Previous over(&living, 100, 100);
    EXPECT_FALSE(over.Exists());
    EXPECT_TRUE(over.Expired());
    EXPECT_EQ(over.version(), 1u);
    EXPECT_FALSE(over.expires_at().has_value());
    const Previous gone(&tombstone, 100, 100);
    EXPECT_FALSE(gone.Exists());
    EXPECT_EQ(gone.version(), 2u);
    EXPECT_FALSE(gone.Expired()) << "a tombstone has nothing left to expire";
}

TEST(Expiry, IsAnExclusiveEnd) {
    EXPECT_FALSE(IsExpired(std::nullopt, 1'000'000));
    EXPECT_FALSE(IsExpired(100, 99));
    EXPECT_TRUE(IsExpired(100, 100));
    EXPECT_TRUE(IsExpired(-5, 0));
}

TEST(AdoptMetadata, NeverRewindsTheVersion) {
    const ChangeId change{{1, 2, 3}, 42};
    Metadata old;
    old.version = 1;
    old.created_at = 100;
    old.tags = {"old"};
    old.comment = "as it was";
    Metadata current = old;
    current.version = 5;
    current.tags = {"new"};
    const Metadata back = AdoptMetadata(&current, old, {}, 900, change);
    EXPECT_EQ(back.version, 6u);
    EXPECT_EQ(back.tags, old.tags);
    EXPECT_EQ(back.created_at, 100);
    EXPECT_EQ(back.updated_at, 900);
    EXPECT_EQ(back.change, change);
    EXPECT_EQ(back.comment, "as it was");

    Metadata ahead = old;
    ahead.version = 9;
    WriteOptions reset;
    reset.comment = "reset";
    reset.modified_by = "ada";
    const Metadata over = AdoptMetadata(&current, ahead, reset, 900, change);
    EXPECT_EQ(over.version, 10u);
    EXPECT_EQ(over.comment, "reset");
    EXPECT_EQ(over.modified_by, "ada");
    EXPECT_EQ(AdoptMetadata(nullptr, ahead, {}, 900, change).version, 10u);
    ahead.deleted = true;
    EXPECT_TRUE(AdoptMetadata(&current, ahead, {}, 900, change).deleted);
}

// Any life of a key: versions are dense, created_at is the last birth, tags are those given since.
RC_GTEST_PROP(WriteDecisionProperty, LivesOfAKey, ()) {
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4));
    std::optional<Metadata> current;
    bool expired = false;
    Timestamp born = 0;
    std::vector<std::string> tags;
    for (size_t i = 0; i < steps.size(); ++i) {
        const Timestamp now = static_cast<Timestamp>(i) + 1;
        const bool alive = current.has_value() && !current->deleted && !expired;
        const Previous previous(current.has_value() ? &*current : nullptr,
                                expired ? std::optional(now) : std::nullopt, now);
        RC_ASSERT(previous.Exists() == alive);
        const uint64_t version = previous.version();
        if (steps[i] == 3) {
            expired = true;
            continue;
        }
        WriteRequest request;
        if (steps[i] == 2) {
            request.kind = WriteKind::kDelete;
        } else {
            if (!alive) {
                born = now;
                tags.clear();
            }
            if (steps[i] == 1) {
                tags = {std::to_string(i)};
                request.options.tags = tags;
            }
        }
        const WriteDecision decision = DecideWrite("k", previous, request);
        if (steps[i] == 2 && !alive) {
            RC_ASSERT(decision.outcome == WriteDecision::Outcome::kNothing);
            continue;
        }
        current = decision.metadata;
        if (steps[i] != 2) {
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
