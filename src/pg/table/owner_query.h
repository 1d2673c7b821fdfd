// SQL over the extension's tables that is run as their owner, for the cold paths. The text is ours, never a
// user's; what comes from outside is a parameter. Only the system's functions and operators are found. The
// access guard has to be asked before. Errors: PgError.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// A parameter of a statement: $1 is the first. What has a length is copied into the memory context current.
struct Parameter {
    Oid type;
    Datum value;
    bool is_null;

    static Parameter Of(Oid type, Datum value) { return {type, value, false}; }
    static Parameter Null(Oid type) { return {type, Datum{0}, true}; }

    static Parameter Bool(bool value) { return Of(BOOLOID, BoolGetDatum(value)); }
    static Parameter Int4(int32 value) { return Of(INT4OID, Int32GetDatum(value)); }
    static Parameter Int8(int64 value) { return Of(INT8OID, Int64GetDatum(value)); }
    static Parameter Time(TimestampTz value) { return Of(TIMESTAMPTZOID, TimestampTzGetDatum(value)); }
    static Parameter Text(std::string_view text);
    static Parameter Bytea(std::string_view bytes);
    static Parameter Address(const Hash& address) { return Bytea(address.AsBytes()); }
    static Parameter Addresses(const std::vector<Hash>& addresses);
};

using Parameters = std::initializer_list<Parameter>;

// Runs one statement and returns the number of rows processed.
uint64 ExecuteAsOwner(const char* sql, const Parameters& parameters = {});

// A query that is read row by row. Rows are fetched in batches, under the active snapshot, or, where `latest`
// asks for it, under one that shows what is committed now (at the stricter levels the transaction's): for
// queries that decide under a lock, or that lock rows. Queries nest: one that was opened later must be
// finished earlier.
class OwnerQuery {
  public:
    explicit OwnerQuery(const char* sql, const Parameters& parameters = {}, bool latest = false);

    // Moves to the next row; false after the last. What was read from the row before is gone then.
    bool Next();

    // Columns of the current row, counted from 1.
    bool IsNull(int column);
    int64 Int8(int column);  // not null
    int32 Int4(int column);  // not null
    bool Bool(int column);   // not null
    // Of text, bytea or jsonb; empty for NULL.
    std::string_view Bytes(int column);
    // The datum of a column that is not null, detoasted if it is a varlena, in the memory context current.
    Datum Copy(int column);
    // nullopt for NULL and for what has not the size of an address.
    std::optional<Hash> Address(int column);

    // Closes the query. To be called on the normal way out.
    void Finish();

  private:
    void Fetch();
    Datum Get(int column, bool* is_null);

    void* portal_;
    void* batch_ = nullptr;  // SPITupleTable
    uint64 batch_size_ = 0;
    uint64 next_ = 0;            // in the batch; the current row is the one before
    MemoryContext row_context_;  // what the current row was detoasted into
};

}  // namespace kvs::pg
