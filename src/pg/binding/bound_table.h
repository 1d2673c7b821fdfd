// A native table as a binding uses it: its columns, types and the statements over them.
//
// All statements take the rows that they are about as arrays, one element each: $1 numbers (int4[]), $2
// documents (jsonb[]), then a text[] for each value of the key, then a jsonb[] for each other key. The server
// does the rest: casts are those of its input functions, from JSON (jsonb_to_record).
//
// The image of a row is a JSON array of the columns that come from the document, by which the two sides are
// compared. In it a column of json or jsonb is wrapped, [value], so that NULL and JSON null differ.
#pragma once

#include <string>
#include <vector>

#include "kvs/binding/mapping.h"
#include "pg/binding/binding_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct BoundColumn {
    std::string name;       // quoted
    std::string type;       // as SQL writes it
    std::string otherwise;  // the default of the column, an expression; empty: none
    bool is_json = false;
};

struct BoundTable {
    Oid relation = InvalidOid;
    Oid owner = InvalidOid;
    std::string name;                  // qualified and quoted
    std::string shape;                 // changes with what concerns the binding
    std::vector<BoundColumn> columns;  // as in the mapping
    std::vector<size_t> key;           // those that identify the row, in the order of the index
    std::vector<Oid> partitions;       // if it is partitioned, those that hold rows
    std::string partition_names;       // the same as text

    // What differs from the shape that it had, as a sentence.
    std::string DescribeChange(const std::string& before) const;
};

// Opens it and looks whether it fits. Errors: 42809, 42P01, 42703, 22023, 42501.
BoundTable OpenBoundTable(Oid relation, const Mapping& mapping, const Binding& binding);

struct BoundStatements {
    BoundStatements(const BoundTable& table, const Mapping& mapping);

    std::string upsert;    // values of the key: of rows that were written, in their order, whatever was there
    std::string remove;    // number: of rows that were deleted; no documents needed
    std::string lock;      // number, image: of rows that are there, locked
    std::string try_lock;  // the same of those that nobody else has locked
    std::string read;      // the same without locking
    std::string form;      // number, image, values of the key: what the rows would be
    std::string insert;    // values of the key, image: of rows that were not there, in their order
    std::string update;    // number, image
    std::string first;     // values of the keys of the first rows; the last parameter is how many
    std::string next;      // the same behind the values given
};

}  // namespace kvs::pg
