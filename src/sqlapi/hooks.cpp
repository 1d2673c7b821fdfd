// Commit hooks: add_hook, drop_hook.
#include <optional>
#include <string>

#include "kvs/error.h"
#include "kvs/pattern/pattern.h"
#include "kvs/util/quote.h"
#include "pg/table/access_guard.h"
#include "pg/table/hook_table.h"
#include "pg/wall/arguments.h"
#include "pg/wall/entry_point.h"
#include "pg/write/hook_call.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

HookEvent ParseEvent(std::string_view text) {
    for (const HookEvent event : {HookEvent::kPreCommit, HookEvent::kPostCommit}) {
        if (text == HookEventName(event)) {
            return event;
        }
    }
    throw Error(ErrorCode::kInvalidArgument, "unknown event " + Quoted(text) + " of a hook",
                "The events are pre_commit and post_commit.");
}

void Add(std::string_view name, std::string_view event, const StoredFunction& function,
         std::string_view pattern, const char* creator) {
    AddHook({std::string(name), ParseEvent(event), function.signature, function.owner,
             Pattern::Parse(pattern).OrThrow().text(), creator});
}

}  // namespace

// (name, event, function, pattern)
KVS_FUNCTION(kvs_add_hook)
{
    RequireWrite(ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE, "kvs.add_hook()");
    const std::string_view name = RequiredBytes(fcinfo, 0, "name");
    const std::string_view event = RequiredBytes(fcinfo, 1, "event");
    if (PG_ARGISNULL(2)) {
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("function must not be null"));
    }
    const StoredFunction function = DescribeHookFunction(PG_GETARG_OID(2));
    Add(name, event, function, OptionalBytes(fcinfo, 3).value_or("#"), GetUserNameFromId(GetUserId(), false));
    PG_RETURN_BOOL(true);
}

// (name)
KVS_FUNCTION(kvs_drop_hook)
{
    RequireWrite(ACL_NO_RIGHTS, "kvs.drop_hook()");
    PG_RETURN_BOOL(DropHook(RequiredBytes(fcinfo, 0, "name")));
}

}  // namespace kvs::sqlapi
