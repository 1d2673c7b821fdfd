#include "kvs/binding/decision.h"

#include <gtest/gtest.h>

#include <string>

namespace kvs {
namespace {

using enum BindingDirection;
using enum ConflictPolicy;
using enum BindingAction;

std::string Text(const BindingDecision& decision) {
    const char* actions[] = {"nothing", "note", "table", "store", "park"};
    return std::string(decision.was_conflict ? "conflict: " : "") +
           actions[static_cast<size_t>(decision.action)];
}

TEST(BindingDecision, NamesAreThoseOfSql) {
    EXPECT_EQ(ParseDirection("to_table"), kToTable);
    EXPECT_EQ(ParseDirection("from_table"), kFromTable);
    EXPECT_EQ(ParseDirection("both"), kBoth);
    EXPECT_EQ(ParseConflictPolicy("last_write_wins"), kLastWriteWins);
    EXPECT_EQ(ParseConflictPolicy("store_wins"), kStoreWins);
    EXPECT_EQ(ParseConflictPolicy("table_wins"), kTableWins);
    EXPECT_EQ(ParseConflictPolicy("error"), kError);
    for (const char* text : {"", "Both", "both ", "to_store", "last_write_win"}) {
        EXPECT_EQ(ParseDirection(text), std::nullopt) << text;
        EXPECT_EQ(ParseConflictPolicy(text), std::nullopt) << text;
    }
}

// What is expected of a direction and a policy where the sides differ.
struct Row {
    BindingDirection direction;
    ConflictPolicy policy;
    const char* store;        // only the store has changed
    const char* table;        // only the table
    const char* store_later;  // both, the store later
    const char* table_later;  // both, the table later
};

constexpr Row kRows[] = {
    {kToTable, kLastWriteWins, "table", "nothing", "conflict: table", "conflict: nothing"},
    {kToTable, kStoreWins, "table", "nothing", "conflict: table", "conflict: table"},
    {kToTable, kTableWins, "table", "nothing", "conflict: nothing", "conflict: nothing"},
    {kToTable, kError, "table", "nothing", "conflict: park", "conflict: park"},
    {kFromTable, kLastWriteWins, "nothing", "store", "conflict: nothing", "conflict: store"},
    {kFromTable, kStoreWins, "nothing", "store", "conflict: nothing", "conflict: nothing"},
    {kFromTable, kTableWins, "nothing", "store", "conflict: store", "conflict: store"},
    {kFromTable, kError, "nothing", "store", "conflict: park", "conflict: park"},
    {kBoth, kLastWriteWins, "table", "store", "conflict: table", "conflict: store"},
    {kBoth, kStoreWins, "table", "store", "conflict: table", "conflict: table"},
    {kBoth, kTableWins, "table", "store", "conflict: store", "conflict: store"},
    {kBoth, kError, "table", "store", "conflict: park", "conflict: park"},
};

TEST(BindingDecision, EveryCell) {
    for (size_t i = 0; i < std::size(kRows); i++) {
        const Row& row = kRows[i];
        for (const bool later : {false, true}) {
            const auto decide = [&](bool store, bool table, bool equal) {
                return Text(DecideBinding(row.direction, row.policy, {store, table, equal, later}));
            };
            SCOPED_TRACE("row " + std::to_string(i) + (later ? ", table later" : ""));
            EXPECT_EQ(decide(false, false, false), "nothing");
            EXPECT_EQ(decide(true, false, false), row.store);
            EXPECT_EQ(decide(false, true, false), row.table);
            EXPECT_EQ(decide(true, true, false), later ? row.table_later : row.store_later);
            // Who agrees has no conflict, whatever the policy.
            EXPECT_EQ(decide(false, false, true), "nothing");
            EXPECT_EQ(decide(true, false, true), "note");
            EXPECT_EQ(decide(false, true, true), "note");
            EXPECT_EQ(decide(true, true, true), "note");
        }
    }
}

}  // namespace
}  // namespace kvs
