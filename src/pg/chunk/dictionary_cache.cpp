#include "pg/chunk/dictionary_cache.h"

#include <string>

#include "pg/table/catalog.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

enum DictionaryColumn {
    kIdColumn = 1,
    kClassColumn,
    kBodyColumn,
    kTrainedAtColumn,
    kSamplesColumn,
    kSavingColumn,
    kDictionaryColumns = kSavingColumn
};

constexpr size_t kMaxCached = 16;

// The bytes in the current memory context, null if there is none. Rows are inserted before the first frame
// that names them, so whoever sees the frame finds the row among what is committed now.
struct varlena* ReadBody(uint32_t id) {
    Table table = OpenForRead(Object::kDictionary, Object::kDictionaryPkey);
    ScanKeyData key;
    KeyInt4(&key, kIdColumn, static_cast<int32>(id));
    struct varlena* body = nullptr;
    if (Lookup(&table, SnapshotSelf, &key, 1)) {
        body = PG_DETOAST_DATUM_COPY(table.Get(kBodyColumn));
    }
    Close(&table);
    return body;
}

}  // namespace

DictionaryCache& DictionaryCache::Get() {
    static DictionaryCache* cache = nullptr;
    if (cache == nullptr) {
        cache = new DictionaryCache();
    }
    return *cache;
}

const Dictionary* DictionaryCache::FindDictionary(uint32_t id) {
    // An extension that was dropped and created again numbers its dictionaries anew.
    const Oid table = Guarded([] { return ObjectOid(Object::kDictionary); });
    if (table != table_) {
        dictionaries_.clear();
        table_ = table;
    }
    if (const auto found = dictionaries_.find(id); found != dictionaries_.end()) {
        return &found->second;
    }
    struct varlena* body = id > PG_INT32_MAX ? nullptr : Guarded([&] { return ReadBody(id); });
    if (body == nullptr) {
        return nullptr;
    }
    if (dictionaries_.size() >= kMaxCached) {
        dictionaries_.clear();
    }
    const auto added = dictionaries_.try_emplace(id, id, std::string(Contents(body))).first;
    Guarded([&] { pfree(body); });
    return &added->second;
}

NewestDictionaries ReadNewestDictionaries() {
    uint32_t ids[kChunkClasses] = {};
    Guarded([&] {
        Table table = OpenForRead(Object::kDictionary, Object::kDictionaryPkey);
        IndexScanDesc scan = BeginScan(&table, SnapshotSelf, nullptr, 0);
        while (index_getnext_slot(scan, ForwardScanDirection, table.slot)) {
            const int chunk_class = DatumGetInt16(table.Get(kClassColumn));
            if (chunk_class >= 0 && chunk_class < kChunkClasses) {
                ids[chunk_class] = static_cast<uint32_t>(DatumGetInt32(table.Get(kIdColumn)));
            }
        }
        index_endscan(scan);
        Close(&table);
    });
    NewestDictionaries newest;
    for (int i = 0; i < kChunkClasses; i++) {
        if (ids[i] != 0) {
            newest[i] = ids[i];
        }
    }
    return newest;
}

uint32_t StoreDictionary(const NewDictionary& dictionary) {
    return Guarded([&] {
        const Object index = Object::kDictionaryPkey;
        Table table = OpenForWrite(Object::kDictionary, &index, 1);
        const int64 id = nextval_internal(ObjectOid(Object::kDictionaryIdSequence), false);
        Datum values[kDictionaryColumns] = {
            Int32GetDatum(static_cast<int32>(id)), Int16GetDatum(static_cast<int16>(dictionary.chunk_class)),
            MakeVarlena(dictionary.bytes),         TimestampTzGetDatum(GetCurrentTimestamp()),
            Int64GetDatum(dictionary.samples),     Float4GetDatum(static_cast<float4>(dictionary.saving))};
        bool nulls[kDictionaryColumns] = {};
        Insert(&table, values, nulls);
        Close(&table);
        CommandCounterIncrement();
        return static_cast<uint32_t>(id);
    });
}

}  // namespace kvs::pg
