// Bindings of native tables as they are stored, and how far each has come.
//
// Errors: PgError; kUnknownRef for a name that there is not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/binding/decision.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct Binding {
    int32 id = 0;
    std::string name;
    std::string pattern;
    int32 branch_id = 0;
    Oid target = InvalidOid;
    std::string shape;       // bound_table.h
    std::string partitions;  // their names
    std::string mapping;     // JSON text
    BindingDirection direction = BindingDirection::kToTable;
    ConflictPolicy conflict = ConflictPolicy::kLastWriteWins;
    std::string creator;
    bool is_paused = false;

    bool ReadsTable() const { return direction != BindingDirection::kToTable; }
    bool WritesTable() const { return direction != BindingDirection::kFromTable; }

    // Whether what both sides were is remembered, because it matters who has changed what.
    bool ComparesSides() const {
        return ReadsTable() || conflict == ConflictPolicy::kTableWins || conflict == ConflictPolicy::kError;
    }

    // Of its changes in the store.
    std::string Origin() const { return "binding:" + name; }
};

// What is loaded, before or beside the stream.
enum class BindingLoad : uint8_t { kNone, kToTable, kFromTable };

struct BindingProgress {
    int64 revision = 0;
    int64 pos = 0;
    BindingLoad load = BindingLoad::kNone;
    std::vector<std::string> loaded;  // the key, or the key values of the row, up to which it is
    std::string seen;                 // of XidSet: transactions whose marks are dealt with
    int64 written = 0;                // rows
    int64 returned = 0;               // entries
    int64 conflicts = 0;
};

Binding FindBinding(std::string_view name);
bool TryFindBinding(std::string_view name, Binding* binding);
// False if it has gone.
bool ReadBinding(int32 id, Binding* binding);
// Those that are not paused.
std::vector<int32> ActiveBindings();
bool HasBindings();

// `mapping` is a jsonb. Returns the id. Errors: kAlreadyExists.
int32 CreateBinding(const Binding& binding, Datum mapping, BindingLoad load, int64 pos);
void RemoveBinding(int32 id);

// Paused with a reason, or not.
void SetPaused(int32 id, bool is_paused, std::string_view reason = {});
// Its table has gone: what has its number later is another one.
void ForgetTarget(int32 id);
void SetShape(int32 id, std::string_view shape, std::string_view partitions);

// Errors: 42501 unless the current role may change it: its creator, and the owner of the extension.
void RequireBindingOwner(const Binding& binding, const char* action);

BindingProgress ReadProgress(int32 binding);
// In the transaction of the changes that it counts.
void WriteProgress(int32 binding, BindingProgress* progress);

}  // namespace kvs::pg
