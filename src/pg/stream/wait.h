// Waiting for the sequencer.
#pragma once

#include <functional>

#include "pg/wall/server.h"

namespace kvs::pg {

// Calls `look` with a snapshot of what is committed now, again after each step of the sequencer, until it
// answers true or the time is over; returns its last answer. `look` is C++ code that guards its calls.
//
// `patience`, if given: the look is repeated after so many ms at the latest, which it may set itself.
//
// Nothing is held meanwhile but what the calling statement holds. Errors: 0A000 on a standby, where that
// would hold up the replay that is waited for; 25001 above READ COMMITTED, where the statement could not go
// on with what it has waited for. A warning if this database has no sequencer.
bool WaitFor(int64 milliseconds, const std::function<bool(Snapshot)>& look, const int64* patience = nullptr);

}  // namespace kvs::pg
