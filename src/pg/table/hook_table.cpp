#include "pg/table/hook_table.h"

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/table/access_guard.h"
#include "pg/table/catalog.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

constexpr size_t kMaxHookNameSize = 255;

enum HookColumn {
    kNameColumn = 1,
    kEventColumn,
    kFunctionColumn,
    kFunctionOwnerColumn,
    kPatternColumn,
    kCreatorColumn,
    kCreatedAtColumn,
    kHookColumns = kCreatedAtColumn
};

// A row's columns, valid as long as the table's slot holds it.
struct HookRow {
    std::string_view name;
    std::string_view event;
    std::string_view function;
    std::string_view function_owner;
    std::string_view pattern;
    std::string_view creator;
};

// Server code.
bool NextRow(IndexScanDesc scan, Table* table, HookRow* row) {
    if (!index_getnext_slot(scan, ForwardScanDirection, table->slot)) {
        return false;
    }
    *row = {DatumContents(table->Get(kNameColumn)),     DatumContents(table->Get(kEventColumn)),
            DatumContents(table->Get(kFunctionColumn)), DatumContents(table->Get(kFunctionOwnerColumn)),
            DatumContents(table->Get(kPatternColumn)),  DatumContents(table->Get(kCreatorColumn))};
    return true;
}

}  // namespace

const char* HookEventName(HookEvent event) {
    return event == HookEvent::kPreCommit ? "pre_commit" : "post_commit";
}

std::vector<Hook> ReadHooks() {
    struct Scan {
        Snapshot snapshot;
        Table table;
        IndexScanDesc scan;
    };
    Scan open = Guarded([] {
        Scan opened;
        opened.snapshot = RegisterLatestSnapshot();
        opened.table = OpenForRead(Object::kHook, Object::kHookPkey);
        opened.scan = BeginScan(&opened.table, opened.snapshot, nullptr, 0);
        return opened;
    });
    std::vector<Hook> hooks;
    HookRow row;
    while (Guarded([&] { return NextRow(open.scan, &open.table, &row); })) {
        hooks.push_back({std::string(row.name),
                         row.event == HookEventName(HookEvent::kPreCommit) ? HookEvent::kPreCommit
                                                                           : HookEvent::kPostCommit,
                         std::string(row.function), std::string(row.function_owner), std::string(row.pattern),
                         std::string(row.creator)});
    }
    Guarded([&] {
        index_endscan(open.scan);
        Close(&open.table);
        ReleaseSnapshot(open.snapshot);
    });
    return hooks;
}

void AddHook(const Hook& hook) {
    if (hook.name.empty() || hook.name.size() > kMaxHookNameSize) {
        throw Error(ErrorCode::kInvalidArgument,
                    "the name of a hook must have 1 to " + std::to_string(kMaxHookNameSize) + " bytes");
    }
    const bool added = Guarded([&] {
        NoteWrite();
        const Object index = Object::kHookPkey;
        Table table = OpenForWrite(Object::kHook, &index, 1);
        Datum values[kHookColumns] = {MakeVarlena(hook.name),
                                      MakeVarlena(HookEventName(hook.event)),
                                      MakeVarlena(hook.function),
                                      MakeVarlena(hook.function_owner),
                                      MakeVarlena(hook.pattern),
                                      MakeVarlena(hook.creator),
                                      TimestampTzGetDatum(GetCurrentTimestamp())};
        bool nulls[kHookColumns] = {};
        ScanKeyData key;
        KeyText(&key, 1, values[0]);
        const bool inserted = InsertIfAbsent(&table, values, nulls, &key, 1);
        Close(&table);
        CommandCounterIncrement();
        return inserted;
    });
    if (!added) {
        throw Error(ErrorCode::kAlreadyExists, "hook " + Quoted(hook.name) + " already exists",
                    "The view kvs.hooks lists the hooks; kvs.drop_hook(name) removes one.");
    }
}

bool DropHook(std::string_view name) {
    return Guarded([&] {
        NoteWrite();
        const Object index = Object::kHookPkey;
        Table table = OpenForWrite(Object::kHook, &index, 1);
        Snapshot snapshot = RegisterLatestSnapshot();
        ScanKeyData key;
        KeyText(&key, 1, MakeVarlena(name));
        bool dropped = false;
        if (Lookup(&table, snapshot, &key, 1)) {
            RequireCreator(TextDatumGetCString(table.Get(kCreatorColumn)), "hook",
                           pnstrdup(name.data(), name.size()), "drop");
            ItemPointerData tid = table.slot->tts_tid;
            dropped = Delete(&table, &tid, snapshot, true) == TM_Ok;
        }
        ReleaseSnapshot(snapshot);
        Close(&table);
        CommandCounterIncrement();
        return dropped;
    });
}

}  // namespace kvs::pg
