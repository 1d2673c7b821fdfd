#include "remote/conninfo.h"

#include <cstring>
#include <memory>
#include <optional>

#include "kvs/error.h"
#include "pg/wall/guard.h"

extern "C" {
#include "catalog/pg_foreign_server.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "libpq-fe.h"
#include "nodes/parsenodes.h"
}

namespace kvs::remote {

namespace {

using pg::Guarded;

constexpr std::string_view kForeignServer = "foreign_server=";

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

// The name behind "foreign_server="; nullopt for a connection string.
std::optional<std::string> ServerName(std::string_view conninfo) {
    if (!conninfo.starts_with(kForeignServer)) {
        return std::nullopt;
    }
    return std::string(conninfo.substr(kForeignServer.size()));
}

// Neither the statement nor its text may show up in the log.
[[noreturn]] void RaiseSecret(const char* keyword) {
    Guarded([&] {
        ereport(
            ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
            errmsg("the connection string of a remote must not contain \"%s\"", keyword),
            errhint("Name a service of a service file (service=NAME), a password file (passfile=PATH), or a "
                    "foreign server with a user mapping (foreign_server=NAME)."),
            errhidestmt(true));
    });
    pg_unreachable();
}

// What libpq says of it may quote a password.
[[noreturn]] void RaiseMalformed() {
    Guarded([] {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("the connection string of a remote is malformed"),
                errhint("It is a connection string of libpq, such as \"service=NAME dbname=NAME\", or "
                        "foreign_server=NAME."),
                errhidestmt(true));
    });
    pg_unreachable();
}

// What libpq itself never shows, and keys that stand for a password.
bool IsSecret(const PQconninfoOption& option) {
    return strchr(option.dispchar, '*') != nullptr || strcmp(option.keyword, "scram_client_key") == 0 ||
           strcmp(option.keyword, "scram_server_key") == 0;
}

Options ParseOptions(const std::string& conninfo) {
    Options options(PQconninfoParse(conninfo.c_str(), nullptr));
    if (options == nullptr) {
        RaiseMalformed();
    }
    for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; option++) {
        if (option->val != nullptr && IsSecret(*option)) {
            RaiseSecret(option->keyword);
        }
    }
    return options;
}

// Server code.
const char* OwnerOf(const ForeignServer* server) {
    return GetUserNameFromId(server->owner, false);
}

// Server code.
ForeignServer* UsableServer(const char* name) {
    ForeignServer* server = GetForeignServerByName(name, false);
    if (KVS_SERVER_ACLCHECK(server->serverid, GetUserId()) != ACLCHECK_OK) {
        aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, server->servername);
    }
    return server;
}

bool IsKeyword(const PQconninfoOption* known, const char* name) {
    for (; known->keyword != nullptr; known++) {
        if (strcmp(known->keyword, name) == 0) {
            return true;
        }
    }
    return false;
}

// The options of a foreign server that mean something to libpq.
void AppendOptions(List* list, const PQconninfoOption* known, ConnectionOptions* options) {
    const int count = list_length(list);
    for (int i = 0; i < count; i++) {
        auto* option = static_cast<DefElem*>(list_nth(list, i));
        if (IsKeyword(known, option->defname)) {
            const char* value = Guarded([&] { return defGetString(option); });
            options->values.emplace_back(option->defname, value);
        }
    }
}

// Server code.
void RequireOwner(const ForeignServer* server, const char* owner) {
    if (strcmp(OwnerOf(server), owner) != 0) {
        ereport(
            ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
            errmsg("foreign server \"%s\" belongs to role \"%s\", not to role \"%s\" as when the remote was "
                   "added",
                   server->servername, OwnerOf(server), owner),
            errhint("If that is right, remove the remote with kvs.drop_remote() and add it again."));
    }
}

ConnectionOptions FromForeignServer(const std::string& name, const std::string& owner) {
    ConnectionOptions options;
    List* server_options = nullptr;
    List* user_options = nullptr;
    Guarded([&] {
        ForeignServer* server = UsableServer(name.c_str());
        RequireOwner(server, owner.c_str());
        server_options = server->options;
        user_options = GetUserMapping(GetUserId(), server->serverid)->options;
        options.password_required = !superuser();
    });
    const Options known(PQconndefaults());
    if (known == nullptr) {
        throw std::bad_alloc();
    }
    AppendOptions(server_options, known.get(), &options);
    AppendOptions(user_options, known.get(), &options);
    bool has_password = false;
    for (const auto& [keyword, value] : options.values) {
        has_password = has_password || (keyword == "password" && !value.empty());
    }
    if (options.password_required && !has_password) {
        Guarded([&] {
            ereport(ERROR, errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
                    errmsg("password is required"),
                    errdetail("Non-superusers must provide a password in the user mapping."));
        });
    }
    return options;
}

}  // namespace

std::string CheckConninfo(std::string_view conninfo) {
    if (const std::optional<std::string> server = ServerName(conninfo)) {
        return Guarded([&] { return OwnerOf(UsableServer(server->c_str())); });
    }
    ParseOptions(std::string(conninfo));
    Guarded([] {
        if (!superuser()) {
            ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied to add a remote by a connection string"),
                    errdetail("It would be used with what the server's operating system user may reach."),
                    errhint("Name a foreign server with a user mapping: foreign_server=NAME."));
        }
    });
    return {};
}

ConnectionOptions ResolveConninfo(const std::string& conninfo, const std::string& server_owner) {
    if (const std::optional<std::string> server = ServerName(conninfo)) {
        return FromForeignServer(*server, server_owner);
    }
    ConnectionOptions options;
    options.password_required = !Guarded([] { return superuser(); });
    const Options parsed = ParseOptions(conninfo);
    for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; option++) {
        if (option->val != nullptr) {
            options.values.emplace_back(option->keyword, option->val);
        }
    }
    return options;
}

}  // namespace kvs::remote
