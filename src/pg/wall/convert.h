// Between Datums and the core's types.
//
// Functions that return Datum or detoast are server code: call under Guarded, or in the first or last phase.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/entry.h"
#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The contents of a detoasted text, bytea or jsonb; valid as long as the datum.
inline std::string_view Contents(const void* value) {
    return {VARDATA_ANY(value), static_cast<size_t>(VARSIZE_ANY_EXHDR(value))};
}

// Detoasts if necessary, then the contents.
inline std::string_view DatumContents(Datum datum) {
    return Contents(PG_DETOAST_DATUM_PACKED(datum));
}

// A text, bytea or jsonb (all have this shape) in the current memory context.
inline Datum MakeVarlena(std::string_view bytes) {
    auto* value = static_cast<struct varlena*>(palloc(VARHDRSZ + bytes.size()));
    SET_VARSIZE(value, VARHDRSZ + bytes.size());
    memcpy(VARDATA(value), bytes.data(), bytes.size());
    return PointerGetDatum(value);
}

inline Datum HashDatum(const Hash& hash) {
    return MakeVarlena(hash.AsBytes());
}

inline Hash DatumHash(Datum datum) {
    return Hash::FromBytes(DatumContents(datum));
}

// An address that may be damaged: nullopt for what has not the size of one.
inline std::optional<Hash> DatumAddress(Datum datum) {
    const std::string_view bytes = DatumContents(datum);
    return bytes.size() == Hash::kSize ? std::optional<Hash>(Hash::FromBytes(bytes)) : std::nullopt;
}

// Microseconds between 1970-01-01 and 2000-01-01, the server's epoch.
constexpr int64 kServerEpoch = int64{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;

inline Timestamp FromServerTime(TimestampTz time) {
    return time + kServerEpoch;
}
inline TimestampTz ToServerTime(Timestamp time) {
    return time - kServerEpoch;
}

// A text[] and a bytea[].
Datum TextArray(const std::vector<std::string>& elements);
Datum HashArray(const std::vector<Hash>& elements);

}  // namespace kvs::pg
