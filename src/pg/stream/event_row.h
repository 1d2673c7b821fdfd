// Rows of type kvs.change_event.
#pragma once

#include <map>
#include <string>

#include "pg/stream/event_reader.h"
#include "pg/wall/row.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Columns of kvs.change_event.
enum EventColumn : uint8 {
    kEventPos,
    kEventXid,
    kEventBranch,
    kEventKey,
    kEventOperation,
    kEventOp,
    kEventVersion,
    kEventType,
    kEventOldValue,
    kEventNewValue,
    kEventOldBytes,
    kEventNewBytes,
    kEventModifiedBy,
    kEventComment,
    kEventTags,
    kEventAt,
    kEventOrigin,
    kEventTraceparent,
    kEventColumns
};

using EventRow = Row<kEventColumns>;

// The names that branches have now, by their ids. A branch that is gone has none.
class BranchNames {
  public:
    // Empty: it is gone.
    const std::string& Of(int32 id, Snapshot snapshot);

  private:
    std::map<int32, std::string> names_;
};

// The row of the reader's current event, its values in the current memory context.
EventRow MakeEventRow(EventReader* reader, std::string_view branch);

}  // namespace kvs::pg
