#include "pg/table/table_watch.h"

#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

void ForgetOnChange(Datum watch, Oid relation) {
    auto* changed = reinterpret_cast<TableWatch*>(DatumGetPointer(watch));
    if (relation == InvalidOid || relation == ObjectOidIfKnown(changed->table)) {
        changed->is_unchanged = false;
    }
}

}  // namespace

bool HasChanged(TableWatch* watch) {
    Guarded([&] {
        if (!watch->is_registered) {
            CacheRegisterRelcacheCallback(ForgetOnChange, PointerGetDatum(watch));
            watch->is_registered = true;
        }
        ObjectOid(watch->table);
        AcceptInvalidationMessages();
    });
    const bool changed = !watch->is_unchanged;
    watch->is_unchanged = true;
    return changed;
}

}  // namespace kvs::pg
