// What becomes of a key and its row that may have changed since the two were the same: a pure function, so
// that the rules stand in one place.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kvs {

enum class BindingDirection : uint8_t { kToTable, kFromTable, kBoth };
enum class ConflictPolicy : uint8_t { kLastWriteWins, kStoreWins, kTableWins, kError };

// As in SQL. nullopt: there is no such thing.
std::optional<BindingDirection> ParseDirection(std::string_view text);
std::optional<ConflictPolicy> ParseConflictPolicy(std::string_view text);

// The two sides of a key, compared with what they were when they were brought together last.
struct BindingSides {
    bool store_changed = false;
    bool table_changed = false;
    bool are_equal = false;    // the row is what the mapping makes of the entry, or neither is there
    bool table_later = false;  // the table was changed after the store; asked only if both have changed
};

enum class BindingAction : uint8_t {
    kNothing,     // they stay what they are
    kNote,        // they are equal: that is to be remembered
    kWriteTable,  // the row is made what the entry says
    kWriteStore,
    kPark,  // somebody has to decide
};

struct BindingDecision {
    BindingAction action = BindingAction::kNothing;
    bool was_conflict = false;
};

BindingDecision DecideBinding(BindingDirection direction, ConflictPolicy policy, const BindingSides& sides);

}  // namespace kvs
