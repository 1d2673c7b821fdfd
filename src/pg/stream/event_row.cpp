#include "pg/stream/event_row.h"

#include "pg/table/branch_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

const std::string& BranchNames::Of(int32 id, Snapshot snapshot) {
    const auto known = names_.find(id);
    if (known != names_.end()) {
        return known->second;
    }
    Branch branch;
    const bool found = Guarded([&] { return ReadBranch(id, snapshot, &branch); });
    return names_[id] = found ? branch.name : "";
}

EventRow MakeEventRow(EventReader* reader, std::string_view branch) {
    const Metadata& metadata = reader->metadata();
    const DataItem* item = reader->item();
    const DataItem* old_item = reader->LoadOld() == OldValue::kThere ? reader->old_item() : nullptr;
    const std::string_view payload = item != nullptr ? reader->LoadPayload() : std::string_view();
    const std::string_view old_payload = old_item != nullptr ? reader->LoadOldPayload() : std::string_view();
    const DataItem* typed = item != nullptr ? item : old_item;
    const std::string_view origin = reader->origin();
    const std::string trace = reader->trace() ? reader->trace()->ToTraceparent() : std::string();
    EventRow row;
    Guarded([&] {
        row.Set(kEventPos, Int64GetDatum(reader->pos()));
        row.Set(kEventXid, FullTransactionIdGetDatum(FullTransactionIdFromU64(reader->xid())));
        if (!branch.empty()) {
            row.Set(kEventBranch, MakeVarlena(branch));
        }
        row.Set(kEventKey, MakeVarlena(reader->key()));
        row.Set(kEventOperation, MakeVarlena(item != nullptr ? "set" : "delete"));
        row.Set(kEventOp, MakeVarlena(OperationName(reader->operation())));
        row.Set(kEventVersion, Int64GetDatum(static_cast<int64>(metadata.version)));
        if (typed != nullptr) {
            row.Set(kEventType, MakeVarlena(typed->type == ValueType::kJson ? "json" : "bytes"));
        }
        if (old_item != nullptr) {
            row.Set(old_item->type == ValueType::kJson ? kEventOldValue : kEventOldBytes,
                    MakeVarlena(old_payload));
        }
        if (item != nullptr) {
            row.Set(item->type == ValueType::kJson ? kEventNewValue : kEventNewBytes, MakeVarlena(payload));
        }
        if (!metadata.modified_by.empty()) {
            row.Set(kEventModifiedBy, MakeVarlena(metadata.modified_by));
        }
        if (metadata.comment) {
            row.Set(kEventComment, MakeVarlena(*metadata.comment));
        }
        row.Set(kEventTags, TextArray(metadata.tags));
        row.Set(kEventAt, TimeDatum(metadata.updated_at));
        if (!origin.empty()) {
            row.Set(kEventOrigin, MakeVarlena(origin));
        }
        if (!trace.empty()) {
            row.Set(kEventTraceparent, MakeVarlena(trace));
        }
    });
    return row;
}

}  // namespace kvs::pg
