// The versions of one key: history, get_version.
#include <optional>
#include <string>

#include "pg/read/key_history.h"
#include "pg/read/version_lookup.h"
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

// Columns of kvs.revision.
enum RevisionColumn {
    kVersion,
    kOp,
    kValue,
    kBytes,
    kModifiedBy,
    kComment,
    kAt,
    kSchemaHash,
    kLogId,
    kSeq,
    kOrigin,
    kTraceparent,
    kRevisionColumns
};

Datum RevisionRow(KeyHistory* history, TupleDesc row_type) {
    const Metadata& metadata = history->metadata();
    const DataItem* item = history->item();
    const std::string_view payload = item != nullptr ? history->LoadPayload() : std::string_view();
    const std::string traceparent = history->trace() ? history->trace()->ToTraceparent() : std::string();
    return Guarded([&] {
        Row<kRevisionColumns> row;
        row.Set(kVersion, Int64GetDatum(static_cast<int64>(metadata.version)));
        row.Set(kOp, MakeVarlena(OperationName(history->operation())));
        if (item != nullptr) {
            row.Set(item->type == ValueType::kJson ? kValue : kBytes, MakeVarlena(payload));
        }
        if (!metadata.modified_by.empty()) {
            row.Set(kModifiedBy, MakeVarlena(metadata.modified_by));
        }
        if (metadata.comment) {
            row.Set(kComment, MakeVarlena(*metadata.comment));
        }
        row.Set(kAt, TimeDatum(metadata.updated_at));
        if (metadata.schema_hash) {
            row.Set(kSchemaHash, MakeVarlena(*metadata.schema_hash));
        }
        row.Set(kLogId, UuidDatum(metadata.change.log_id));
        row.Set(kSeq, Int64GetDatum(static_cast<int64>(metadata.change.seq)));
        if (!metadata.origin.empty()) {
            row.Set(kOrigin, MakeVarlena(metadata.origin));
        }
        if (!traceparent.empty()) {
            row.Set(kTraceparent, MakeVarlena(traceparent));
        }
        return row.Form(row_type);
    });
}

// kvs.history
class Revisions {
  public:
    explicit Revisions(FunctionCallInfo fcinfo) {
        struct Arguments {
            Datum key;
            std::optional<std::string_view> branch;
        };
        if (PG_ARGISNULL(0)) {
            Guarded([] { RequireRead(); });
            return;
        }
        const Arguments arguments = Guarded([&] {
            row_type_ = ResultRowType(fcinfo);
            RequireRead();
            remaining_ = Limit(fcinfo, 1);
            return Arguments{KeyArgument(fcinfo, 0), OptionalBytes(fcinfo, 2)};
        });
        history_.emplace(Contents(DatumGetPointer(arguments.key)), arguments.branch);
    }

    bool Next(Datum* row) {
        if (!history_ || (remaining_ && (*remaining_)-- <= 0)) {
            return false;
        }
        history_->set_snapshot(GetActiveSnapshot());
        if (!history_->Next()) {
            return false;
        }
        *row = RevisionRow(&*history_, row_type_);
        return true;
    }

  private:
    TupleDesc row_type_ = nullptr;
    std::optional<int64> remaining_;
    std::optional<KeyHistory> history_;  // none: the key is NULL
};

}  // namespace

KVS_FUNCTION(kvs_history)
{ return StreamRows<Revisions>(fcinfo); }

// (key, version, branch)
KVS_FUNCTION(kvs_get_version)
{
    RequireRead();
    const std::optional<int64> version = OptionalInt8(fcinfo, 1);
    if (PG_ARGISNULL(0) || !version) {
        PG_RETURN_NULL();
    }
    const Datum key = KeyArgument(fcinfo, 0);
    const Datum document = *version < 1
                               ? Datum{0}
                               : DocumentOfVersion(Contents(DatumGetPointer(key)),
                                                   static_cast<uint64_t>(*version), OptionalBytes(fcinfo, 2));
    if (document == 0) {
        PG_RETURN_NULL();
    }
    return document;
}

}  // namespace kvs::sqlapi
