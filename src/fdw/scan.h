// The execution of one scan of a foreign table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fdw/key_set.h"
#include "fdw/plan.h"
#include "pg/read/entry_scan.h"
#include "pg/read/read_view.h"
#include "pg/wall/server.h"

namespace kvs::fdw {

// Holds no server resource between two calls, so that it may go away at any time by its destructor alone.
class TableScan {
  public:
    // `view` stays valid as long as the statement runs; `operands` are the plan's expressions, ready to be
    // evaluated.
    TableScan(const ForeignScan* plan, const pg::ReadView& view, List* operands,
              MemoryContext lookup_context);

    // Fills the slot's values with the next row's, false after the last. They are valid until the next call.
    bool Next(ExprContext* context, TupleTableSlot* slot);

    // Begins again with the next call of Next, with the values that the operands have then.
    void Restart() { started_ = false; }

    // What the scan has read since it was created, for EXPLAIN.
    uint64_t nodes_read() const { return nodes_read_ + CurrentReads(&pg::ChunkStore::nodes_read); }
    uint64_t chunks_fetched() const {
        return chunks_fetched_ + CurrentReads(&pg::ChunkStore::chunks_fetched);
    }

  private:
    void Start(ExprContext* context);
    void EvaluateLimit(ExprContext* context);
    void StartReading(const KeySet& keys);
    bool NextEntry();
    bool NextLookup();
    void FillSlot(TupleTableSlot* slot);
    uint64_t CurrentReads(uint64_t (pg::ChunkStore::*counter)() const) const;

    const ForeignScan* plan_;
    pg::ReadView view_;
    List* operands_;
    MemoryContext lookup_context_;  // holds what the last look-up found
    std::vector<uint8_t> columns_;  // see TableColumns
    uint32 wanted_;
    bool with_meta_;
    bool backward_;

    bool started_ = false;
    int64 to_skip_ = 0;              // rows before the first one that is returned
    int64 to_return_ = -1;           // rows still to be returned; negative: no limit
    std::vector<std::string> keys_;  // single keys in the order in which they are looked up
    size_t next_key_ = 0;
    std::optional<pg::EntryReader> reader_;  // for single keys
    std::optional<pg::EntryScan> scan_;      // for a range
    uint64_t nodes_read_ = 0;                // by scans that are over
    uint64_t chunks_fetched_ = 0;

    // The current entry of a look-up.
    pg::FoundEntry found_;
};

}  // namespace kvs::fdw
