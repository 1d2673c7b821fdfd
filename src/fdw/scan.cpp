#include "fdw/scan.h"

#include <algorithm>

#include "fdw/callbacks.h"
#include "pg/observe/observer.h"
#include "pg/read/entry_row.h"
#include "pg/table/access_guard.h"
#include "pg/wall/context_object.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"

namespace kvs::fdw {

namespace {

using namespace kvs::pg;

using ScanHolder = ContextObject<TableScan>;

EntryPoint scan_entry = {"scan (foreign table)"};

// A row count that LIMIT or OFFSET gives; `missing` if there is none. Server code.
int64 EvaluateRowCount(ExprState* expression, ExprContext* context, int64 missing, int sqlstate,
                       const char* clause) {
    if (expression == nullptr) {
        return missing;
    }
    bool is_null;
    const Datum value = ExecEvalExpr(expression, context, &is_null);
    if (is_null) {
        return missing;
    }
    if (DatumGetInt64(value) < 0) {
        ereport(ERROR, errcode(sqlstate), errmsg("%s must not be negative", clause));
    }
    return DatumGetInt64(value);
}

}  // namespace

TableScan::TableScan(const ForeignScan* plan, const ReadView& view, List* operands,
                     MemoryContext lookup_context)
    : plan_(plan), view_(view), operands_(operands), lookup_context_(lookup_context) {
    ListCell* cell;
    foreach (cell, PlanList(plan, kPlanColumns)) {
        columns_.push_back(static_cast<uint8_t>(lfirst_int(cell)));
    }
    wanted_ = static_cast<uint32>(intVal(list_nth(plan->fdw_private, kPlanWanted)));
    with_meta_ = (wanted_ & kEntryMetaColumns) != 0;
    backward_ = PlanFlag(plan, kPlanBackward);
}

uint64_t TableScan::CurrentReads(uint64_t (ChunkStore::*counter)() const) const {
    // The accessors of the readers are not const, but looking at a counter changes nothing.
    auto* self = const_cast<TableScan*>(this);
    return (reader_ ? (self->reader_->chunks().*counter)() : 0) +
           (scan_ ? (self->scan_->chunks().*counter)() : 0);
}

void TableScan::Start(ExprContext* context) {
    KeySet keys(PlanOptions(plan_).Prefix());
    ListCell* test_cell;
    int operand = 0;
    foreach (test_cell, PlanList(plan_, kPlanTests)) {
        auto* expression = static_cast<ExprState*>(list_nth(operands_, operand++));
        bool is_null;
        const Datum value = Guarded([&] { return ExecEvalExpr(expression, context, &is_null); });
        ApplyKeyTest(static_cast<KeyTest>(lfirst_int(test_cell)), value, is_null, &keys);
    }
    to_skip_ = 0;
    to_return_ = -1;
    if (PlanFlag(plan_, kPlanLimit)) {
        Guarded([&] { EvaluateLimit(context); });
    }
    StartReading(keys);
    started_ = true;
}

void TableScan::EvaluateLimit(ExprContext* context) {
    const int count = list_length(operands_);
    to_skip_ = EvaluateRowCount(static_cast<ExprState*>(list_nth(operands_, count - 1)), context, 0,
                                ERRCODE_INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, "OFFSET");
    to_return_ = EvaluateRowCount(static_cast<ExprState*>(list_nth(operands_, count - 2)), context, -1,
                                  ERRCODE_INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT");
}

void TableScan::StartReading(const KeySet& keys) {
    nodes_read_ += scan_ ? scan_->chunks().nodes_read() : 0;
    chunks_fetched_ += scan_ ? scan_->chunks().chunks_fetched() : 0;
    scan_.reset();
    keys_.clear();
    next_key_ = 0;
    if (keys.empty()) {
        return;
    }
    if (keys.keys()) {
        keys_ = *keys.keys();
        if (backward_) {
            std::reverse(keys_.begin(), keys_.end());
        }
        if (!reader_) {
            reader_.emplace(view_);
        }
        return;
    }
    scan_.emplace(view_, EntryScan::Options{keys.range(), backward_, with_meta_});
}

// The next of the single keys that has an entry.
bool TableScan::NextLookup() {
    while (next_key_ < keys_.size()) {
        MemoryContext caller = CurrentMemoryContext;
        const std::string& key = keys_[next_key_++];
        const Datum key_datum = Guarded([&] {
            MemoryContextReset(lookup_context_);
            MemoryContextSwitchTo(lookup_context_);
            return MakeVarlena(key);
        });
        std::optional<FoundEntry> found = reader_->Find(key_datum, with_meta_);
        MemoryContextSwitchTo(caller);
        if (found) {
            found_ = std::move(*found);
            return true;
        }
    }
    return false;
}

bool TableScan::NextEntry() {
    return scan_ ? scan_->Next() : NextLookup();
}

void TableScan::FillSlot(TupleTableSlot* slot) {
    if (wanted_ == 0) {
        memset(slot->tts_isnull, true, columns_.size() * sizeof(bool));
        return;
    }
    const DataItem& item = scan_ ? scan_->item() : found_.item;
    std::string_view payload;
    if ((wanted_ & EntryBit(item.type == ValueType::kJson ? kEntryValue : kEntryBytes)) != 0) {
        payload = scan_ ? scan_->LoadPayload() : reader_->LoadPayload(item);
    }
    const EntryRow entry = MakeEntryRow(scan_ ? scan_->key() : std::string_view(keys_[next_key_ - 1]), item,
                                        payload, scan_ ? scan_->meta() : found_.meta.bytes, wanted_);
    ArrangeColumns(columns_.data(), static_cast<int>(columns_.size()), entry, slot->tts_values,
                   slot->tts_isnull);
}

bool TableScan::Next(ExprContext* context, TupleTableSlot* slot) {
    if (!started_) {
        Start(context);
    }
    if (to_return_ == 0) {
        return false;
    }
    for (; to_skip_ > 0; to_skip_--) {
        if (!NextEntry()) {
            to_return_ = 0;
            return false;
        }
    }
    if (!NextEntry()) {
        to_return_ = 0;
        return false;
    }
    if (to_return_ > 0) {
        to_return_--;
    }
    FillSlot(slot);
    return true;
}

void BeginForeignScan(ForeignScanState* node, int flags) {
    Enter([&] {
        auto* plan = reinterpret_cast<ForeignScan*>(node->ss.ps.plan);
        const Oid role = KVS_CHECK_AS_USER(node, plan);
        // Also for EXPLAIN, which would tell how many entries there are.
        RequireRead(OidIsValid(role) ? role : GetUserId());
        if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0) {
            return;
        }
        EState* state = node->ss.ps.state;
        List* operands = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
        MemoryContext lookups = AllocSetContextCreate(state->es_query_cxt, "kvs scan", ALLOCSET_SMALL_SIZES);
        const TableOptions options = PlanOptions(plan);
        const ReadView view = OpenTableView(options, state->es_snapshot);
        node->fdw_state = ScanHolder::Make(state->es_query_cxt, plan, view, operands, lookups);
        Guarded([&] {
            ObserveSteps(&scan_entry, node, state->es_query_cxt, options.prefix, options.EffectiveBranch());
        });
    });
}

TupleTableSlot* IterateForeignScan(ForeignScanState* node) {
    TupleTableSlot* slot = node->ss.ss_ScanTupleSlot;
    ExecClearTuple(slot);
    const bool found = EnterStep(node, [&] {
        return static_cast<ScanHolder*>(node->fdw_state)->get()->Next(node->ss.ps.ps_ExprContext, slot);
    });
    return found ? ExecStoreVirtualTuple(slot) : slot;
}

void ReScanForeignScan(ForeignScanState* node) {
    static_cast<ScanHolder*>(node->fdw_state)->get()->Restart();
}

void EndForeignScan(ForeignScanState* node) {
    if (node->fdw_state != nullptr) {
        static_cast<ScanHolder*>(node->fdw_state)->Free();
    }
}

// A worker sees the leader's snapshot and settings, and reading changes nothing.
bool IsForeignScanParallelSafe(PlannerInfo*, RelOptInfo*, RangeTblEntry*) {
    return true;
}

}  // namespace kvs::fdw
