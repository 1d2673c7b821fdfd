// Who changed what last: blame.
#include <optional>

#include "kvs/pattern/pattern.h"
#include "pg/read/blame.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/settings.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

enum BlameColumn { kKey, kCommit, kAuthor, kCommittedAt, kMessage, kVersion, kBlameColumns };

// (pattern, ref)
class BlameRows {
  public:
    explicit BlameRows(FunctionCallInfo fcinfo) {
        struct Arguments {
            std::optional<std::string_view> pattern;
            std::optional<std::string_view> ref;
        };
        MemoryContext scratch = nullptr;
        const Arguments arguments = Guarded([&] {
            RequireRead();
            row_type_ = ResultRowType(fcinfo);
            scratch = AllocSetContextCreate(CurrentMemoryContext, "kvs blame", ALLOCSET_DEFAULT_SIZES);
            return Arguments{OptionalBytes(fcinfo, 0), OptionalBytes(fcinfo, 1)};
        });
        const std::string_view as_of = settings.as_of;
        Snapshot snapshot = GetActiveSnapshot();
        const Pattern pattern = Pattern::Parse(arguments.pattern.value_or("#")).OrThrow();
        const ResolvedRef ref =
            ResolveRef(arguments.ref.value_or(as_of.empty() ? "HEAD" : as_of), {}, snapshot);
        blame_.emplace(ref, pattern, snapshot, scratch);
    }

    bool Next(Datum* row) {
        blame_->set_snapshot(GetActiveSnapshot());
        if (!blame_->Next()) {
            return false;
        }
        const Blame::BlamedCommit* commit = blame_->commit();
        *row = Guarded([&] {
            Row<kBlameColumns> columns;
            columns.Set(kKey, MakeVarlena(blame_->key()));
            columns.Set(kVersion, Int64GetDatum(static_cast<int64>(blame_->version())));
            if (commit != nullptr) {
                columns.Set(kCommit, HexDatum(commit->hash));
                columns.Set(kAuthor, MakeVarlena(commit->author));
                columns.Set(kCommittedAt, TimeDatum(commit->committed_at));
                columns.Set(kMessage, MakeVarlena(commit->message));
            }
            return columns.Form(row_type_);
        });
        return true;
    }

  private:
    TupleDesc row_type_ = nullptr;
    std::optional<Blame> blame_;
};

}  // namespace

KVS_FUNCTION(kvs_blame)
{ return StreamRows<BlameRows>(fcinfo); }

}  // namespace kvs::sqlapi
