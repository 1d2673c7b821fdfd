// Keys that a binding has to look at beside the stream, _kvs.binding_mark: those whose rows were changed, as
// the trigger of the table notes them, and those that were put off.
//
// A key's marks become visible in the order in which its row was changed, since the row was locked meanwhile.
// A mark that is there has not been dealt with. Where dead ones lie is not looked at again: the marks that a
// look has to find are of transactions that had not ended at the one before.
#pragma once

#include <string>
#include <vector>

#include "pg/binding/binding_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct Mark {
    bool is_all = false;  // everything that the binding knows; no key
    std::string key = {};
    bool by_store = false;  // what is known to have changed: perhaps nothing
    bool by_table = false;
    TimestampTz at = 0;  // when that was; 0: now
};

// At most `limit` marks that the active snapshot shows, taken away; they come back if the transaction is
// rolled back. `more`: there are others. Sets progress->seen.
std::vector<Mark> TakeMarks(int32 binding, BindingProgress* progress, int limit, bool* more);

// For the trigger. Server code. `key` null: everything.
void MarkRowChange(int32 binding, const char* key);

void MarkAll(int32 binding);
void MarkKey(int32 binding, const Mark& mark);

}  // namespace kvs::pg
