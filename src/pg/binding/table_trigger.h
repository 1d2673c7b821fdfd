// The triggers of a bound table: each change of a row leaves a mark (mark_table.h), and nothing else, so that
// who changes it never waits for the store. They fire for COPY, in partitions, and for changes that logical
// replication applies; a changed key is two marks, TRUNCATE one for all.
#pragma once

#include <string>
#include <vector>

#include "pg/binding/binding_table.h"
#include "pg/binding/bound_table.h"
#include "pg/wall/server.h"

extern "C" {
#include "commands/trigger.h"
}

namespace kvs::pg {

// While it lives, the first change of each of these rows is the binding's own, and leaves no mark. Any other
// one does: triggers of the table may change rows, too.
class ExpectedRowChanges {
  public:
    ExpectedRowChanges(int32 binding, const std::vector<std::string>& keys);
    ~ExpectedRowChanges();
    ExpectedRowChanges(const ExpectedRowChanges&) = delete;
    ExpectedRowChanges& operator=(const ExpectedRowChanges&) = delete;
};

// What the trigger does.
void NoteRowChange(const TriggerData* data, FmgrInfo* function);

// Creates those of the triggers that are not there, as the current role. Those for TRUNCATE stand in each
// partition.
void CreateTableTriggers(const Binding& binding, const BoundTable& table);

// Drops those that there are.
void DropTableTriggers(const Binding& binding);

}  // namespace kvs::pg
