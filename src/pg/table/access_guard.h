// The one place that decides whether the current role may touch the store: by the ACL of kvs.entries. SELECT
// lets it read; INSERT, UPDATE and DELETE let it write; privileges on single columns do not count. Every
// function and the foreign data wrapper come through here.
//
// Server code: first phase of an entry point, or under Guarded.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// Errors: 42501.
void RequireRead(Oid role);
inline void RequireRead() {
    RequireRead(GetUserId());
}

// For figures that tell nothing of single documents: also members of pg_read_all_stats may see them.
// Errors: 42501.
void RequireReadFigures();

// All privileges in `mode` (ACL_INSERT, ACL_UPDATE, ACL_DELETE, ACL_SELECT). `command` names the function for
// messages. Also refuses read-only and parallel transactions and a session that reads the past.
// Errors: 42501, 25006, 25000.
void RequireWrite(AclMode mode, const char* command);

// True instead of an error.
bool MayRead(Oid role);

// For things that belong to the role that made them, whose name is kept: the current role has its privileges,
// or those of the owner of the extension. `kind` and `name` are what it is, `action` a verb. Errors: 42501.
void RequireCreator(const char* creator, const char* kind, const char* name, const char* action);

}  // namespace kvs::pg
