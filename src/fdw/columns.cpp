#include "fdw/columns.h"

extern "C" {
#include "access/sysattr.h"
}

namespace kvs::fdw {

namespace {

using namespace kvs::pg;

struct ColumnKind {
    const char* name;
    EntryColumn column;
    Oid type;
};

constexpr ColumnKind kColumnKinds[] = {
    {"key", kEntryKey, TEXTOID},
    {"value", kEntryValue, JSONBOID},
    {"version", kEntryVersion, INT8OID},
    {"type", kEntryType, TEXTOID},
    {"bytes", kEntryBytes, BYTEAOID},
    {"created_at", kEntryCreatedAt, TIMESTAMPTZOID},
    {"updated_at", kEntryUpdatedAt, TIMESTAMPTZOID},
    {"expires_at", kEntryExpiresAt, TIMESTAMPTZOID},
    {"modified_by", kEntryModifiedBy, TEXTOID},
    {"comment", kEntryComment, TEXTOID},
    {"tags", kEntryTags, TEXTARRAYOID},
    {"schema_hash", kEntrySchemaHash, TEXTOID},
};
static_assert(lengthof(kColumnKinds) == kEntryColumns);

const ColumnKind* FindColumn(const char* name) {
    for (const ColumnKind& kind : kColumnKinds) {
        if (strcmp(kind.name, name) == 0) {
            return &kind;
        }
    }
    return nullptr;
}

}  // namespace

TableColumns MatchColumns(Relation table) {
    TupleDesc row_type = RelationGetDescr(table);
    auto* columns = static_cast<uint8*>(palloc(row_type->natts + 1));
    TableColumns matched = {row_type->natts, columns, 0, InvalidOid};
    for (int i = 0; i < row_type->natts; i++) {
        const FormData_pg_attribute* attribute = TupleDescAttr(row_type, i);
        if (attribute->attisdropped) {
            columns[i] = kDroppedColumn;
            continue;
        }
        const char* name = NameStr(attribute->attname);
        const ColumnKind* kind = FindColumn(name);
        if (kind == nullptr) {
            ereport(
                ERROR, errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
                errmsg("column \"%s\" of foreign table \"%s\" is not a column of kvs.entry", name,
                       RelationGetRelationName(table)),
                errhint(
                    "Columns are found by name: key, value, version, type, bytes, created_at, updated_at, "
                    "expires_at, modified_by, comment, tags, schema_hash."));
        }
        if (attribute->atttypid != kind->type) {
            ereport(ERROR, errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
                    errmsg("column \"%s\" of foreign table \"%s\" must have type %s, not %s", name,
                           RelationGetRelationName(table), format_type_be(kind->type),
                           format_type_be(attribute->atttypid)));
        }
        columns[i] = kind->column;
        if (kind->column == kEntryKey) {
            matched.key = attribute->attnum;
            matched.key_collation = attribute->attcollation;
        }
    }
    return matched;
}

uint32 NeededColumns(const TableColumns& columns, Bitmapset* attributes) {
    // Attribute 0 is the whole row.
    const bool all = bms_is_member(-FirstLowInvalidHeapAttributeNumber, attributes);
    uint32 needed = 0;
    for (int i = 0; i < columns.count; i++) {
        if (columns.columns[i] != kDroppedColumn &&
            (all || bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, attributes))) {
            needed |= EntryBit(columns.columns[i]);
        }
    }
    return needed;
}

}  // namespace kvs::fdw
