#include "pg/wall/convert.h"

namespace kvs::pg {

Datum TextArray(const std::vector<std::string>& elements) {
    auto* datums = static_cast<Datum*>(palloc(sizeof(Datum) * (elements.size() + 1)));
    for (size_t i = 0; i < elements.size(); i++) {
        datums[i] = MakeVarlena(elements[i]);
    }
    return PointerGetDatum(
        construct_array(datums, static_cast<int>(elements.size()), TEXTOID, -1, false, TYPALIGN_INT));
}

}  // namespace kvs::pg
