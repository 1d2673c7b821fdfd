#include "fdw/options.h"

#include "kvs/entry.h"
#include "kvs/error.h"
#include "kvs/version/ref.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/planner.h"
#include "pg/wall/settings.h"

extern "C" {
#include "access/reloptions.h"
#include "catalog/pg_foreign_table_d.h"
}

namespace kvs::fdw {

namespace {

using pg::settings;

struct OptionKind {
    const char* name;
    void (*check)(std::string_view value);  // throws Error
};

void CheckPrefix(std::string_view value) {
    if (value.size() > kMaxKeySize) {
        throw Error(ErrorCode::kInvalidArgument, "prefix is longer than a key, which has at most " +
                                                     std::to_string(kMaxKeySize) + " bytes");
    }
}

void CheckBranch(std::string_view value) {
    ValidateRefName(value).OrThrow();
}
void CheckAsOf(std::string_view value) {
    ParseRef(value).OrThrow();
}

constexpr OptionKind kTableOptions[] = {
    {"prefix", CheckPrefix}, {"branch", CheckBranch}, {"as_of", CheckAsOf}};

const OptionKind* FindOption(const char* name) {
    for (const OptionKind& kind : kTableOptions) {
        if (strcmp(kind.name, name) == 0) {
            return &kind;
        }
    }
    return nullptr;
}

// `catalog` tells to what kind of object the options were given. Server code that lets the core's errors
// through.
void ValidateOptions(List* options, Oid catalog) {
    const bool is_table = catalog == ForeignTableRelationId;
    ListCell* cell;
    foreach (cell, options) {
        auto* option = static_cast<DefElem*>(lfirst(cell));
        const OptionKind* kind = is_table ? FindOption(option->defname) : nullptr;
        if (kind == nullptr) {
            ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                    errmsg("invalid option \"%s\"", option->defname),
                    is_table ? errhint("Valid options of a foreign table are: prefix, branch, as_of.")
                             : errhint("Only foreign tables have options: prefix, branch, as_of."));
        }
        kind->check(defGetString(option));
    }
}

}  // namespace

const char* TableOptions::EffectiveBranch() const {
    return branch != nullptr ? branch : settings.branch;
}

const char* TableOptions::EffectiveAsOf() const {
    if (as_of == nullptr && branch == nullptr && settings.as_of[0] != '\0') {
        return settings.as_of;
    }
    return as_of;
}

TableOptions ReadTableOptions(Oid table) {
    TableOptions options = {};
    ListCell* cell;
    foreach (cell, GetForeignTable(table)->options) {
        auto* option = static_cast<DefElem*>(lfirst(cell));
        const char* value = defGetString(option);
        if (strcmp(option->defname, "prefix") == 0) {
            options.prefix = value;
        } else if (strcmp(option->defname, "branch") == 0) {
            options.branch = value;
        } else if (strcmp(option->defname, "as_of") == 0) {
            options.as_of = value;
        }
    }
    return options;
}

pg::ReadView OpenTableView(const TableOptions& options, Snapshot snapshot) {
    const auto optional = [](const char* text) {
        return text != nullptr ? std::optional<std::string_view>(text) : std::nullopt;
    };
    pg::ReadView view = pg::OpenReadView(optional(options.branch), optional(options.as_of));
    view.snapshot = snapshot;
    return view;
}

}  // namespace kvs::fdw

// kvs_fdw_validator(options text[], catalog oid)
KVS_INNER_FUNCTION(kvs_fdw_validator)
{
    kvs::fdw::ValidateOptions(untransformRelOptions(PG_GETARG_DATUM(0)), PG_GETARG_OID(1));
    PG_RETURN_VOID();
}
