// The history of commits: log.
#include <optional>
#include <string>
#include <vector>

#include "kvs/pattern/pattern.h"
#include "pg/read/commit_walk.h"
#include "pg/read/pattern_changes.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/access_guard.h"
#include "pg/table/commit_table.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/settings.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

// Clocks differ, so the walk does not end with the first commit that is too old, but after as many in a row.
constexpr int kOldInARow = 100;

enum CommitColumn { kHash, kParents, kRoot, kAuthor, kMessage, kCommittedAt, kCommitColumns };

// (ref, max_rows, pattern, author, since)
class LogRows {
  public:
    explicit LogRows(FunctionCallInfo fcinfo) {
        struct Arguments {
            std::optional<std::string_view> ref;
            std::optional<int64> max_rows;
            std::optional<std::string_view> pattern;
            std::optional<std::string_view> author;
            std::optional<int64> since;  // a TimestampTz
        };
        const Arguments arguments = Guarded([&] {
            RequireRead();
            row_type_ = ResultRowType(fcinfo);
            scratch_ = AllocSetContextCreate(CurrentMemoryContext, "kvs log", ALLOCSET_DEFAULT_SIZES);
            return Arguments{OptionalBytes(fcinfo, 0), Limit(fcinfo, 1), OptionalBytes(fcinfo, 2),
                             OptionalBytes(fcinfo, 3), OptionalInt8(fcinfo, 4)};
        });
        rows_left_ = arguments.max_rows.value_or(PG_INT64_MAX);
        since_ = arguments.since;
        if (arguments.author) {
            author_ = *arguments.author;
        }
        const std::string_view as_of = settings.as_of;
        Snapshot snapshot = GetActiveSnapshot();
        if (arguments.pattern) {
            changes_.emplace(Pattern::Parse(*arguments.pattern).OrThrow(), snapshot);
        }
        const ResolvedRef start =
            ResolveRef(arguments.ref.value_or(as_of.empty() ? "HEAD" : as_of), {}, snapshot);
        walk_.emplace(start.is_working ? start.branch.head : start.commit, snapshot);
    }

    bool Next(Datum* row) {
        if (rows_left_-- <= 0 || !FindNext()) {
            return false;
        }
        const Commit& commit = *walk_->current().commit;
        std::vector<std::string> parents;
        for (const Hash& parent : commit.parents) {
            parents.push_back(parent.ToHex());
        }
        *row = Guarded([&] {
            Row<kCommitColumns> columns;
            columns.Set(kHash, HexDatum(walk_->current().hash));
            columns.Set(kParents, TextArray(parents));
            columns.Set(kRoot, HexDatum(commit.data_root));
            columns.Set(kAuthor, MakeVarlena(commit.author));
            columns.Set(kMessage, MakeVarlena(commit.message));
            columns.Set(kCommittedAt, TimeDatum(commit.committed_at));
            return columns.Form(row_type_);
        });
        return true;
    }

  private:
    // Moves to the next commit that passes the filters.
    bool FindNext() {
        Snapshot snapshot = GetActiveSnapshot();
        walk_->set_snapshot(snapshot);
        MemoryScope scope(scratch_);
        for (;;) {
            Guarded([&] {
                CHECK_FOR_INTERRUPTS();
                MemoryContextReset(scratch_);
            });
            if (old_in_a_row_ == kOldInARow || !walk_->Next()) {
                return false;
            }
            const Commit& commit = *walk_->current().commit;
            if (since_ && ToServerTime(commit.committed_at) < *since_) {
                old_in_a_row_++;
                continue;
            }
            old_in_a_row_ = 0;
            if ((!author_ || commit.author == *author_) && (!changes_ || changes_->AreIn(commit, snapshot))) {
                return true;
            }
        }
    }

    TupleDesc row_type_;
    MemoryContext scratch_;  // of one step
    int64 rows_left_;
    std::optional<PatternChanges> changes_;
    std::optional<std::string> author_;
    std::optional<TimestampTz> since_;
    std::optional<CommitWalk> walk_;
    int old_in_a_row_ = 0;
};

}  // namespace

KVS_FUNCTION(kvs_log)
{ return StreamRows<LogRows>(fcinfo); }

}  // namespace kvs::sqlapi
