// How a remote is reached: what kvs.add_remote accepts, and what libpq is given.
//
//     a connection string of libpq, without secrets: its password comes from a service file or a password
//     file foreign_server=NAME: options of a foreign server, and of the current user's mapping for it
//
// A server is found by its name, and who owns it says where its users' documents and passwords go. So it has
// to belong to the role that it belonged to when the remote was added: another server of that name is
// refused.
//
// Nobody may ride on the identity of the server's operating system user, as in dblink and postgres_fdw: who
// is no superuser names a foreign server, whose mapping has a password, and the other side must have asked
// for it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pg/wall/server.h"

namespace kvs::remote {

// Errors: 22023 malformed, or with a secret in it; 42501 if this role may not use it; 42704 unknown server.
// The statement is kept out of the server's log, for what it may contain. The answer is the name of the role
// that the foreign server belongs to, empty for a connection string.
std::string CheckConninfo(std::string_view conninfo);

struct ConnectionOptions {
    std::vector<std::pair<std::string, std::string>> values;  // keywords of libpq
    bool password_required;                                   // the other side must have asked for one
};

// For the current user; `server_owner` as CheckConninfo told it. Errors: as above; 42501 the server belongs
// to somebody else, 42704 no user mapping, 2F003 no password in it.
ConnectionOptions ResolveConninfo(const std::string& conninfo, const std::string& server_owner);

}  // namespace kvs::remote
