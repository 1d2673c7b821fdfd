#include "pg/wall/row.h"

namespace kvs::pg {

Datum HexDatum(const Hash& hash) {
    constexpr size_t kDigits = 2 * Hash::kSize;
    auto* text = static_cast<struct varlena*>(palloc(VARHDRSZ + kDigits));
    SET_VARSIZE(text, VARHDRSZ + kDigits);
    hex_encode(hash.AsBytes().data(), Hash::kSize, VARDATA(text));
    return PointerGetDatum(text);
}

Datum UuidDatum(const std::array<uint8_t, 16>& bytes) {
    auto* uuid = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
    memcpy(uuid->data, bytes.data(), UUID_LEN);
    return UUIDPGetDatum(uuid);
}

}  // namespace kvs::pg
