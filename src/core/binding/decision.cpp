#include "kvs/binding/decision.h"

namespace kvs {

namespace {

// A side that has no way to the other one leaves it as it is.
BindingAction ToTable(BindingDirection direction) {
    return direction == BindingDirection::kFromTable ? BindingAction::kNothing : BindingAction::kWriteTable;
}
BindingAction ToStore(BindingDirection direction) {
    return direction == BindingDirection::kToTable ? BindingAction::kNothing : BindingAction::kWriteStore;
}

}  // namespace

std::optional<BindingDirection> ParseDirection(std::string_view text) {
    return text == "to_table"     ? std::optional(BindingDirection::kToTable)
           : text == "from_table" ? std::optional(BindingDirection::kFromTable)
           : text == "both"       ? std::optional(BindingDirection::kBoth)
                                  : std::nullopt;
}

std::optional<ConflictPolicy> ParseConflictPolicy(std::string_view text) {
    return text == "last_write_wins" ? std::optional(ConflictPolicy::kLastWriteWins)
           : text == "store_wins"    ? std::optional(ConflictPolicy::kStoreWins)
           : text == "table_wins"    ? std::optional(ConflictPolicy::kTableWins)
           : text == "error"         ? std::optional(ConflictPolicy::kError)
                                     : std::nullopt;
}

BindingDecision DecideBinding(BindingDirection direction, ConflictPolicy policy, const BindingSides& sides) {
    if (sides.are_equal) {
        const bool is_new = sides.store_changed || sides.table_changed;
        return {is_new ? BindingAction::kNote : BindingAction::kNothing, false};
    }
    if (!sides.store_changed || !sides.table_changed) {
        return {sides.store_changed   ? ToTable(direction)
                : sides.table_changed ? ToStore(direction)
                                      : BindingAction::kNothing,
                false};
    }
    switch (policy) {
        case ConflictPolicy::kStoreWins:
            return {ToTable(direction), true};
        case ConflictPolicy::kTableWins:
            return {ToStore(direction), true};
        case ConflictPolicy::kLastWriteWins:
            return {sides.table_later ? ToStore(direction) : ToTable(direction), true};
        case ConflictPolicy::kError:
            break;
    }
    return {BindingAction::kPark, true};
}

}  // namespace kvs
