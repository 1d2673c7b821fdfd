// Running plain SQL on the extension's tables as their owner, for the cold paths.
#pragma once

#include "pg/table/catalog.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// While it lives, the current user is the extension's owner and only the system's functions and operators are
// found. The access guard has to be asked before. User-given SQL must never run inside. The destructor cannot
// fail; after a server error the (sub)transaction's abort restores the same.
class OwnerScope {
  public:
    // Server errors come as PgError.
    OwnerScope();
    ~OwnerScope();
    OwnerScope(const OwnerScope&) = delete;
    OwnerScope& operator=(const OwnerScope&) = delete;

  private:
    Oid user_;
    int security_context_;
    int guc_level_;
};

// One SQL statement with parameters, run under OwnerScope. `types` and `values` have `count` elements;
// nulls[i] is 'n' for NULL, ' ' otherwise. Returns the number of rows processed. Errors: PgError.
uint64 ExecuteAsOwner(const char* sql, int count, Oid* types, Datum* values, const char* nulls);

}  // namespace kvs::pg
