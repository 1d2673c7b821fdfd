#include "worker/database_commands.h"

#include "pg/table/stream_signal.h"
#include "pg/wall/server.h"

extern "C" {
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "tcop/utility.h"
}

namespace kvs::worker {

namespace {

ProcessUtility_hook_type next_hook;

// The database that the command needs to be without sessions; null: none. The command itself tells who may
// give it, and waits some seconds for those sessions that end.
const char* DatabaseOf(const Node* command) {
    switch (nodeTag(command)) {
        case T_DropdbStmt:
            return reinterpret_cast<const DropdbStmt*>(command)->dbname;
        case T_RenameStmt: {
            const auto* rename = reinterpret_cast<const RenameStmt*>(command);
            return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
        }
        case T_AlterDatabaseStmt: {
            const auto* alter = reinterpret_cast<const AlterDatabaseStmt*>(command);
            ListCell* cell;
            foreach (cell, alter->options) {
                if (strcmp(lfirst_node(DefElem, cell)->defname, "tablespace") == 0) {
                    return alter->dbname;
                }
            }
            return nullptr;
        }
        case T_CreatedbStmt: {
            const auto* create = reinterpret_cast<const CreatedbStmt*>(command);
            ListCell* cell;
            foreach (cell, create->options) {
                DefElem* option = lfirst_node(DefElem, cell);
                if (strcmp(option->defname, "template") == 0 && option->arg != nullptr) {
                    return defGetString(option);
                }
            }
            return nullptr;
        }
        default:
            return nullptr;
    }
}

void EndWorkersFirst(PlannedStmt* statement, const char* text, bool read_only, ProcessUtilityContext context,
                     ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* receiver,
                     QueryCompletion* completion) {
    const char* name = DatabaseOf(statement->utilityStmt);
    if (name != nullptr) {
        const Oid database = get_database_oid(name, true);
        if (OidIsValid(database) && KVS_IS_DATABASE_OWNER(database, GetUserId())) {
            pg::StopWorkers(database);
        }
    }
    (next_hook != nullptr ? next_hook : standard_ProcessUtility)(
        statement, text, read_only, context, parameters, environment, receiver, completion);
}

}  // namespace

void InstallDatabaseCommandHook() {
    next_hook = ProcessUtility_hook;
    ProcessUtility_hook = EndWorkersFirst;
}

}  // namespace kvs::worker
