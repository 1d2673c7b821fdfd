// Storage of chunks: repack.
#include "pg/repack.h"

#include "kvs/error.h"
#include "pg/access_guard.h"
#include "pg/durability.h"
#include "pg/stream.h"

#include "pg/entry_point.h"

namespace {

using namespace kvs;
using namespace kvs::pg;

constexpr AclMode kRepackMode = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// (max_chunks)
class RepackRow {
  public:
    explicit RepackRow(FunctionCallInfo fcinfo) {
        Guarded([&] {
            RequireWrite(kRepackMode, "kvs.repack()");
            row_type_ = ResultRowType(fcinfo);
        });
    }

    bool Next(FunctionCallInfo fcinfo, Datum* row, bool*) {
        if (done_) {
            return false;
        }
        done_ = true;
        const int64 max_chunks = PG_ARGISNULL(0) ? PG_INT64_MAX : PG_GETARG_INT64(0);
        if (max_chunks < 0) {
            throw Error(ErrorCode::kInvalidArgument, "max_chunks must not be negative");
        }
        Guarded([] { NoteWrite(); });
        const RepackResult result = Repack(max_chunks);
        *row = Guarded([&] {
            Datum values[] = {Int64GetDatum(result.chunks_rewritten), Int64GetDatum(result.bytes_before),
                              Int64GetDatum(result.bytes_after)};
            bool nulls[] = {false, false, false};
            return FormRow(row_type_, values, nulls);
        });
        return true;
    }

  private:
    TupleDesc row_type_;
    bool done_ = false;
};

}  // namespace

KVS_FUNCTION(kvs_repack)
{ return StreamRows<RepackRow>(fcinfo); }
