#include "pg/binding/base_table.h"

#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

Parameter TextsOf(const std::vector<std::string>& texts) {
    return Parameter::Of(TEXTARRAYOID, Guarded([&] { return TextArray(texts); }));
}

// An empty one for none.
Parameter HashesOf(const std::vector<std::string>& hashes) {
    std::vector<Datum> datums;
    datums.reserve(hashes.size());
    for (const std::string& hash : hashes) {
        datums.push_back(Guarded([&] { return MakeVarlena(hash); }));
    }
    return Parameter::Of(
        BYTEAARRAYOID, Guarded([&] {
            return PointerGetDatum(construct_array(datums.data(), static_cast<int>(datums.size()), BYTEAOID,
                                                   -1, false, TYPALIGN_INT));
        }));
}

std::string BytesOf(const std::optional<Hash>& hash) {
    return hash ? std::string(hash->AsBytes()) : std::string();
}

}  // namespace

std::map<std::string, BindingBase> ReadBases(int32 binding, const std::vector<std::string>& keys) {
    std::map<std::string, BindingBase> bases;
    // Each looked up in the index: the whole table would be walked for as many keys.
    OwnerQuery row(
        "SELECT b.* FROM unnest($2) AS k (key) CROSS JOIN LATERAL"
        " (SELECT key, entry, \"row\" FROM _kvs.binding_base WHERE binding = $1 AND key = k.key OFFSET 0) AS "
        "b",
        {Parameter::Int4(binding), TextsOf(keys)}, true);
    while (row.Next()) {
        bases[std::string(row.Bytes(1))] = {row.Address(2), row.Address(3)};
    }
    row.Finish();
    return bases;
}

void WriteBases(int32 binding, const std::map<std::string, BindingBase>& bases) {
    if (bases.empty()) {
        return;
    }
    std::vector<std::string> keys;
    std::vector<std::string> entries;
    std::vector<std::string> rows;
    for (const auto& [key, base] : bases) {
        keys.push_back(key);
        entries.push_back(BytesOf(base.entry));
        rows.push_back(BytesOf(base.row));
    }
    ExecuteAsOwner(
        "INSERT INTO _kvs.binding_base (binding, key, entry, \"row\")"
        " SELECT $1, k, nullif(e, ''), nullif(r, '') FROM unnest($2, $3, $4) AS u (k, e, r)"
        " ON CONFLICT (binding, key) DO UPDATE SET entry = excluded.entry, \"row\" = excluded.\"row\"",
        {Parameter::Int4(binding), TextsOf(keys), HashesOf(entries), HashesOf(rows)});
}

std::vector<std::string> ListBases(int32 binding, std::string_view after, int limit) {
    std::vector<std::string> keys;
    OwnerQuery row("SELECT key FROM _kvs.binding_base WHERE binding = $1 AND key > $2 ORDER BY key LIMIT $3",
                   {Parameter::Int4(binding), Parameter::Text(after), Parameter::Int8(limit)}, true);
    while (row.Next()) {
        keys.emplace_back(row.Bytes(1));
    }
    row.Finish();
    return keys;
}

}  // namespace kvs::pg
