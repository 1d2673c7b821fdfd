// Keys and documents by themselves, whatever the store holds: serialize_key, parse_key, data_hash.
#include <string>
#include <vector>

#include "kvs/codec/key.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/jsonb_json.h"
#include "pg/wall/row.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

Datum Serialize(const DatumArray& segments, std::string_view key) {
    std::vector<std::string> namespace_segments;
    for (int i = 0; i < segments.count; i++) {
        const Datum segment = segments.elements[i];
        namespace_segments.emplace_back(Guarded([&] { return DatumContents(segment); }));
    }
    const std::string serialized = SerializeKey(namespace_segments, key).OrThrow();
    return Guarded([&] { return MakeVarlena(serialized); });
}

enum ParsedKeyColumn { kNamespace, kKey, kParsedKeyColumns };

Datum ParsedRow(FunctionCallInfo fcinfo, std::string_view serialized) {
    const ParsedKey parsed = ParseKey(serialized).OrThrow();
    return Guarded([&] {
        Row<kParsedKeyColumns> row;
        row.Set(kNamespace, TextArray(parsed.namespace_segments));
        row.Set(kKey, MakeVarlena(parsed.key));
        return row.Form(ResultRowType(fcinfo));
    });
}

Datum HashHex(std::string_view document) {
    const Hash hash = HashOfDocument(document);
    return Guarded([&] { return HexDatum(hash); });
}

}  // namespace

// (namespace, key)
KVS_FUNCTION(kvs_serialize_key)
{
    const DatumArray segments = RequiredArray(fcinfo, 0, "namespace");
    return Serialize(segments, RequiredBytes(fcinfo, 1, "key"));
}

// (serialized)
KVS_FUNCTION(kvs_parse_key)
{ return ParsedRow(fcinfo, RequiredBytes(fcinfo, 0, "serialized")); }

// (value)
KVS_FUNCTION(kvs_data_hash)
{ return HashHex(RequiredJsonb(fcinfo, 0, "value")); }

}  // namespace kvs::sqlapi
