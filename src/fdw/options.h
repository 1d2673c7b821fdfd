// Options of foreign tables.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pg/read/read_view.h"
#include "pg/wall/server.h"

namespace kvs::fdw {

// What a foreign table stands on. The strings live in the memory context that was current; null: not given.
struct TableOptions {
    const char* prefix;  // only keys that begin so
    const char* branch;  // null: the session's
    const char* as_of;   // null: the session's moment, unless a branch is given

    std::string_view Prefix() const { return prefix != nullptr ? prefix : ""; }

    // Where to read, with the session's settings in place of what is not given; as_of null: the live state.
    const char* EffectiveBranch() const;
    const char* EffectiveAsOf() const;
};

// Server code.
TableOptions ReadTableOptions(Oid table);

// The view that a scan of such a table reads, to be used under `snapshot`, which must be that of the running
// statement and stay registered. Errors: kUnknownRef.
pg::ReadView OpenTableView(const TableOptions& options, Snapshot snapshot);

}  // namespace kvs::fdw
