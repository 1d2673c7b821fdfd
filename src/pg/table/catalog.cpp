#include "pg/table/catalog.h"

namespace kvs::pg {

namespace {

constexpr int kObjectCount = static_cast<int>(Object::kCount);

constexpr const char* kNames[kObjectCount] = {
#define KVS_OBJECT(object, name) name,
    KVS_OBJECTS(KVS_OBJECT)
#undef KVS_OBJECT
};

struct Cache {
    bool registered;
    bool valid;
    Oid oids[kObjectCount];
    IndexInfo* index_infos[kObjectCount];
    MemoryContext context;  // holds the index infos
};

Cache cache;

void ForgetOnChange(Datum, Oid relation) {
    if (!cache.valid) {
        return;
    }
    for (Oid oid : cache.oids) {
        if (relation == InvalidOid || oid == relation) {
            cache.valid = false;
            return;
        }
    }
}

void Load() {
    if (!cache.registered) {
        CacheRegisterRelcacheCallback(ForgetOnChange, static_cast<Datum>(0));
        cache.context = AllocSetContextCreate(TopMemoryContext, "kvs catalog cache", ALLOCSET_SMALL_SIZES);
        cache.registered = true;
    }
    MemoryContextReset(cache.context);
    for (int i = 0; i < kObjectCount; i++) {
        cache.index_infos[i] = nullptr;
    }
    const Oid api = get_namespace_oid("kvs", true);
    const Oid base = get_namespace_oid("_kvs", true);
    for (int i = 0; i < kObjectCount; i++) {
        const Oid space = i == static_cast<int>(Object::kEntries) ? api : base;
        cache.oids[i] = OidIsValid(space) ? get_relname_relid(kNames[i], space) : InvalidOid;
        if (!OidIsValid(cache.oids[i])) {
            ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
                    errmsg("relation \"%s\" of extension kvs does not exist in this database", kNames[i]),
                    errhint("Install it with CREATE EXTENSION kvs."));
        }
    }
    cache.valid = true;
}

}  // namespace

Oid ObjectOid(Object object) {
    if (!cache.valid) {
        Load();
    }
    return cache.oids[static_cast<int>(object)];
}

Oid ObjectOidIfKnown(Object object) {
    return cache.oids[static_cast<int>(object)];
}

IndexInfo* CachedIndexInfo(Object index, Relation relation) {
    IndexInfo*& info = cache.index_infos[static_cast<int>(index)];
    if (info == nullptr) {
        MemoryContext previous = MemoryContextSwitchTo(cache.context);
        info = BuildIndexInfo(relation);
        MemoryContextSwitchTo(previous);
    }
    return info;
}

Oid OwnerId() {
    Relation relation = table_open(ObjectOid(Object::kWorking), AccessShareLock);
    const Oid owner = relation->rd_rel->relowner;
    table_close(relation, AccessShareLock);
    return owner;
}

}  // namespace kvs::pg
