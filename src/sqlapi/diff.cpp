// What differs between two states: status, show, diff, diff_stat, working_changes.
#include <memory>
#include <optional>
#include <string>

#include "kvs/json/json.h"
#include "kvs/pattern/pattern.h"
#include "kvs/util/quote.h"
#include "pg/read/ref_resolver.h"
#include "pg/read/view_diff.h"
#include "pg/table/access_guard.h"
#include "pg/table/commit_table.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/jsonb_json.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

enum DiffColumn { kKey, kDiffType, kFromValue, kToValue, kFromVersion, kToVersion, kDiffColumns };

// The arguments that name states. NULL means the default of each function.
struct RefArguments {
    std::optional<std::string_view> from;
    std::optional<std::string_view> to;
    std::optional<std::string_view> pattern;
};

ReadView ResolveView(std::string_view ref, Snapshot snapshot) {
    return ViewOf(ResolveRef(ref, {}, snapshot), snapshot);
}

std::unique_ptr<ViewDiff> OpenDiff(const RefArguments& arguments) {
    Snapshot snapshot = GetActiveSnapshot();
    std::optional<Pattern> pattern;
    if (arguments.pattern) {
        pattern = Pattern::Parse(*arguments.pattern).OrThrow();
    }
    return std::make_unique<ViewDiff>(ResolveView(arguments.from.value_or("HEAD"), snapshot),
                                      ResolveView(arguments.to.value_or("WORKING"), snapshot),
                                      pattern ? &*pattern : nullptr);
}

// The rows of a diff as kvs.diff_row.
class DiffRows {
  public:
    bool Next(Datum* row) {
        diff_->set_snapshot(GetActiveSnapshot());
        if (!diff_->Next()) {
            return false;
        }
        Row<kDiffColumns> columns;
        if (const DataItem* item = diff_->from_item()) {
            SetSide(*item, diff_->from_meta(), kFromValue, kFromVersion, &columns);
        }
        if (const DataItem* item = diff_->to_item()) {
            SetSide(*item, diff_->to_meta(), kToValue, kToVersion, &columns);
        }
        *row = Guarded([&] {
            columns.Set(kKey, MakeVarlena(diff_->key()));
            columns.Set(kDiffType, MakeVarlena(DiffTypeName(diff_->type())));
            return columns.Form(row_type_);
        });
        return true;
    }

  protected:
    DiffRows(FunctionCallInfo fcinfo, bool with_values) : with_values_(with_values) {
        row_type_ = Guarded([&] {
            RequireRead();
            return ResultRowType(fcinfo);
        });
    }

    std::unique_ptr<ViewDiff> diff_;

  private:
    void SetSide(const DataItem& item, std::string_view meta, DiffColumn value, DiffColumn version,
                 Row<kDiffColumns>* row) {
        row->Set(version, Int64GetDatum(static_cast<int64>(DecodeMetadataHeader(meta).OrThrow().version)));
        if (with_values_) {
            std::string blob;
            const std::string_view payload = diff_->LoadPayload(item, &blob);
            row->Set(value, item.type == ValueType::kJson ? Guarded([&] { return MakeVarlena(payload); })
                                                          : JsonbFromJson(Json::String(BytesText(payload))));
        }
    }

    TupleDesc row_type_;
    bool with_values_;
};

// (branch)
class StatusRows : public DiffRows {
  public:
    explicit StatusRows(FunctionCallInfo fcinfo) : DiffRows(fcinfo, false) {
        const auto branch_name = Guarded([&] { return OptionalBytes(fcinfo, 0); });
        Snapshot snapshot = GetActiveSnapshot();
        const Branch branch = FindBranch(branch_name.value_or(std::string_view()), snapshot);
        diff_ = std::make_unique<ViewDiff>(HeadView(branch, snapshot), WorkingView(branch, snapshot));
    }
};

// (ref)
class ShowRows : public DiffRows {
  public:
    explicit ShowRows(FunctionCallInfo fcinfo) : DiffRows(fcinfo, true) {
        const std::string_view ref = Guarded([&] { return RequiredBytes(fcinfo, 0, "ref"); });
        Snapshot snapshot = GetActiveSnapshot();
        const Commit commit = ReadCommit(ResolveCommit(ref, {}, snapshot), snapshot);
        diff_ = std::make_unique<ViewDiff>(FirstParentView(commit, snapshot), CommitView(commit, snapshot));
    }
};

// (from_ref, to_ref, pattern)
class RefDiffRows : public DiffRows {
  public:
    explicit RefDiffRows(FunctionCallInfo fcinfo) : DiffRows(fcinfo, true) {
        diff_ = OpenDiff(Guarded([&] {
            return RefArguments{OptionalBytes(fcinfo, 0), OptionalBytes(fcinfo, 1), OptionalBytes(fcinfo, 2)};
        }));
    }
};

enum DiffStatColumn { kAdded, kModified, kRemoved, kDiffStatColumns };

// Keys whose value is the same are not counted.
Datum DiffStat(FunctionCallInfo fcinfo, const RefArguments& arguments) {
    const std::unique_ptr<ViewDiff> diff = OpenDiff(arguments);
    int64 added = 0;
    int64 modified = 0;
    int64 removed = 0;
    while (diff->Next()) {
        added += diff->type() == DiffType::kAdded;
        modified += diff->type() == DiffType::kModified;
        removed += diff->type() == DiffType::kRemoved;
    }
    return Guarded([&] {
        Row<kDiffStatColumns> row;
        row.Set(kAdded, Int64GetDatum(added));
        row.Set(kModified, Int64GetDatum(modified));
        row.Set(kRemoved, Int64GetDatum(removed));
        return row.Form(ResultRowType(fcinfo));
    });
}

// How many keys a commit of the branch would record; 0 if there is no such branch.
int64 CountUncommitted(int32 branch_id) {
    Snapshot snapshot = GetActiveSnapshot();
    Branch branch;
    if (!Guarded([&] { return ReadBranch(branch_id, snapshot, &branch); })) {
        return 0;
    }
    ViewDiff diff(HeadView(branch, snapshot), WorkingView(branch, snapshot));
    int64 count = 0;
    while (diff.Next()) {
        count++;
    }
    return count;
}

}  // namespace

KVS_FUNCTION(kvs_status)
{ return StreamRows<StatusRows>(fcinfo); }

KVS_FUNCTION(kvs_show)
{ return StreamRows<ShowRows>(fcinfo); }

KVS_FUNCTION(kvs_diff)
{ return StreamRows<RefDiffRows>(fcinfo); }

// (from_ref, to_ref)
KVS_FUNCTION(kvs_diff_stat)
{
    RequireRead();
    return DiffStat(fcinfo, {OptionalBytes(fcinfo, 0), OptionalBytes(fcinfo, 1), std::nullopt});
}

KVS_INNER_FUNCTION(kvs_working_changes)
{
    RequireRead();
    PG_RETURN_INT64(CountUncommitted(PG_GETARG_INT32(0)));
}

}  // namespace kvs::sqlapi
