// A query over the extension's tables that is run as their owner and read row by row, for the cold paths.
//
// Rows are fetched in batches, under the active snapshot, or, where `latest` asks for it, under one that
// shows what is committed now (at the stricter levels the transaction's): for queries that decide under a
// lock, or that lock rows. Queries nest: one that was opened later must be finished earlier. The access guard
// has to be asked before. Errors: PgError.
#pragma once

#include <optional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class OwnerQuery {
  public:
    // The SQL is ours, never a user's; its parameters are `count` in number.
    explicit OwnerQuery(const char* sql, int count = 0, Oid* types = nullptr, Datum* values = nullptr,
                        bool latest = false);

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
