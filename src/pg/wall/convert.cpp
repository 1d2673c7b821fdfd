#include "pg/wall/convert.h"

namespace kvs::pg {

namespace {

Datum ArrayOf(Oid type, size_t count, Datum* elements) {
    return PointerGetDatum(construct_array(elements, static_cast<int>(count), type, -1, false, TYPALIGN_INT));
}

Datum* AllocateDatums(size_t count) {
    return static_cast<Datum*>(palloc(sizeof(Datum) * (count + 1)));
}

}  // namespace

Datum TextArray(const std::vector<std::string>& elements) {
    Datum* datums = AllocateDatums(elements.size());
    for (size_t i = 0; i < elements.size(); i++) {
        datums[i] = MakeVarlena(elements[i]);
    }
    return ArrayOf(TEXTOID, elements.size(), datums);
}

Datum HashArray(const std::vector<Hash>& elements) {
    Datum* datums = AllocateDatums(elements.size());
    for (size_t i = 0; i < elements.size(); i++) {
        datums[i] = HashDatum(elements[i]);
    }
    return ArrayOf(BYTEAOID, elements.size(), datums);
}

}  // namespace kvs::pg
