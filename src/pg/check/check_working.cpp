#include "pg/check/check_working.h"

#include <optional>
#include <string>

#include "pg/check/key_text.h"
#include "pg/check/state_problem.h"
#include "pg/table/change_members.h"
#include "pg/table/owner_query.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

void CheckWorkingRows(const FindingSink& sink) {
    // While no branch is stored there is main, which has id 1.
    OwnerQuery stray(
        "SELECT w.branch_id, count(*) FROM _kvs.working AS w "
        "WHERE NOT EXISTS (SELECT FROM _kvs.branch AS b WHERE b.id = w.branch_id)"
        " AND (w.branch_id <> 1 OR EXISTS (SELECT FROM _kvs.branch)) "
        "GROUP BY w.branch_id ORDER BY w.branch_id");
    while (stray.Next()) {
        sink({"error", "dangling_ref", "branch " + std::to_string(stray.Int4(1)),
              "the branch does not exist but has uncommitted work (" + std::to_string(stray.Int8(2)) +
                  " keys)"});
    }
    stray.Finish();

    enum Column { kSeqOfRow = 1, kVersionOfRow, kKeyOfRow, kMetaOfRow, kItemOfRow, kLogged, kAgrees };
    OwnerQuery row(
        "SELECT w.change_seq, w.version, w.key, w.meta, w.item, c.seq IS NOT NULL,"
        " c.key IS NOT DISTINCT FROM w.key AND c.branch_id = w.branch_id AND c.version = w.version"
        " AND c.meta IS NOT DISTINCT FROM w.meta AND c.item IS NOT DISTINCT FROM w.item "
        "FROM _kvs.working AS w LEFT JOIN _kvs.change AS c ON c.seq = w.change_seq "
        "ORDER BY w.branch_id, w.key");
    const int64 low_seq = Guarded([] { return LowestKeptChange(); });
    while (row.Next()) {
        const int64 seq = row.Int8(kSeqOfRow);
        std::optional<std::string_view> item;
        if (!row.IsNull(kItemOfRow)) {
            item = row.Bytes(kItemOfRow);
        }
        std::string problem = StateProblem(row.Bytes(kMetaOfRow), item, row.Int8(kVersionOfRow), seq);
        const bool is_logged = row.Bool(kLogged);
        if (problem.empty() && !is_logged && seq >= low_seq) {
            problem = "change " + std::to_string(seq) + " does not exist";
        } else if (problem.empty() && is_logged && !row.Bool(kAgrees)) {
            problem = "change " + std::to_string(seq) + " says something else";
        }
        if (!problem.empty()) {
            sink({"error", "broken_history", KeyText(row.Bytes(kKeyOfRow)),
                  "uncommitted version " + std::to_string(row.Int8(kVersionOfRow)) + ": " + problem});
        }
    }
    row.Finish();
}

}  // namespace kvs::pg
