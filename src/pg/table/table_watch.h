// Whether one of the extension's tables was announced to have changed: for small tables that a process keeps
// in memory. Who writes to such a one announces it by CacheInvalidateRelcacheByRelid.
#pragma once

#include "pg/table/catalog.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Of static storage.
struct TableWatch {
    Object table;
    bool is_registered = false;
    bool is_unchanged = false;  // since HasChanged was asked
};

// True the first time, and if the table may have changed since this was asked last.
bool HasChanged(TableWatch* watch);

}  // namespace kvs::pg
