// Changes of single keys: the put protocol.
//
// A change is an atomic read-modify-write of one key on one branch: a row of _kvs.working is inserted or
// updated, and a row is appended to the change log. What arbitrates between concurrent writers is the working
// row's update and the unique index of its table; each pass reads row, roots and trees under one snapshot,
// and an insert is completed only if the branch's roots are still those that the pass has read. READ
// COMMITTED starts over when somebody else was faster, the stricter levels raise 40001. Which epoch the row
// goes to, and where else one may be: pg/table/epochs.h.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "kvs/codec/item.h"
#include "kvs/entry/write_decision.h"
#include "pg/chunk/chunk_store.h"
#include "pg/chunk/tree_item.h"
#include "pg/table/branch_table.h"
#include "pg/table/table_access.h"
#include "pg/table/working_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// What a write finds at its key. Valid during one call of a ValueFunction.
struct CurrentEntry {
    const Previous& previous;
    const DataItem* item;  // null unless the entry lives; the payload may lie in a blob
    ChunkStore* chunks;    // to load it from

    // The payload of the item; `holder` keeps the bytes of a blob.
    std::string_view Payload(std::string* holder) const { return PayloadOf(*item, chunks, holder); }
};

// The value that a write brings, once it is decided that it brings one (see kvs/entry/write_decision.h);
// nullopt: the key stays as it is after all. The expiry is not its business. The payload must live until
// Update returns. Called once per pass; without effects outside.
using ValueFunction = std::function<std::optional<DataItem>(const CurrentEntry& current)>;

// What Update did.
struct Written {
    bool changed;  // false: the key stayed as it was
    Metadata metadata;
    std::optional<Timestamp> expires_at;
};

// Writes to one branch within one SQL call. Takes the branch's writer lock.
class Writer {
  public:
    // Errors: kUnknownRef.
    explicit Writer(std::string_view branch);

    // `key` is a valid key as a detoasted text or bytea.
    // A request that leaves a tombstone needs no value.
    // Errors: kInvalidArgument if the key is reserved and is neither deleted nor restored, kStaleVersion as
    // DecideWrite throws it, kSerialization, kLimitExceeded.
    Written Update(Datum key, const WriteRequest& request, const ValueFunction& value = nullptr);

    // Closes the tables. To be called on the normal way out; flushes the branch if this session has piled up
    // enough uncommitted rows.
    void Finish();

    int32 branch_id() const { return branch_id_; }

  private:
    struct Pass;
    void ReadRow(Datum key, Pass* pass);
    void ReadTrees(std::string_view key, Pass* pass);
    void ReadBranches(Pass* pass);
    bool TryUpdate(Datum key, Pass* pass);
    bool TryMove(Datum key, Pass* pass);
    bool TryInsert(Datum key, Pass* pass);
    enum class Holds : uint8_t { kYes, kNo, kInAnotherEpoch };
    Holds StillHolds(Datum key, const Pass& pass);
    bool IsFree(Datum key, const Pass& pass);

    int32 branch_id_;
    bool transaction_snapshot_;  // REPEATABLE READ or SERIALIZABLE
    LogId log_;
    Table working_;
    Table change_;
    MemoryContext context_;  // of one pass
};

}  // namespace kvs::pg
