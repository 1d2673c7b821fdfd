// SQL that is run as another role, whatever the session's search path is.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// While it lives, `role` is the current user and only the system's objects are found without a schema.
// `restrictions` are flags of the security context to be added, as SECURITY_RESTRICTED_OPERATION for code
// that is not ours. The destructor cannot fail; after a server error the (sub)transaction's abort restores
// the same.
class RoleScope {
  public:
    explicit RoleScope(Oid role, int restrictions = 0);
    ~RoleScope();
    RoleScope(const RoleScope&) = delete;
    RoleScope& operator=(const RoleScope&) = delete;

  private:
    Oid user_;
    int security_context_;
    int guc_level_;
};

}  // namespace kvs::pg
