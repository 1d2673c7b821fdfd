#include "pg/check/check_working.h"

#include <optional>
#include <string>

#include "pg/check/key_text.h"
#include "pg/check/state_problem.h"
#include "pg/table/change_members.h"
#include "pg/table/owner_query.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

// Rows where no reader looks, and keys that have more than one.
void CheckEpochs(const FindingSink& sink) {
    OwnerQuery hidden(
        "SELECT coalesce(b.name, 'main'), w.epoch, count(*) FROM _kvs.working AS w "
        "LEFT JOIN _kvs.branch AS b ON b.id = w.epoch >> 32 "
        "WHERE w.epoch <> coalesce(b.epoch, 1::bigint << 32) AND w.epoch <> ALL (coalesce(b.older_epochs, "
        "'{}'))"
        " AND (b.id IS NOT NULL OR (w.epoch >> 32 = 1 AND NOT EXISTS (SELECT FROM _kvs.branch))) "
        "GROUP BY 1, 2 ORDER BY 1, 2");
    while (hidden.Next()) {
        sink({"error", "dangling_ref", "branch " + std::string(hidden.Bytes(1)),
              "uncommitted work lies in epoch " + std::to_string(hidden.Int8(2)) +
                  ", which the branch does not name (" + std::to_string(hidden.Int8(3)) + " keys)"});
    }
    hidden.Finish();
    OwnerQuery twice(
        "SELECT w.key, array_agg(w.epoch ORDER BY w.epoch)::text FROM _kvs.working AS w "
        "GROUP BY w.epoch >> 32, w.key HAVING count(*) > 1 ORDER BY w.epoch >> 32, w.key");
    while (twice.Next()) {
        sink({"error", "broken_history", KeyText(twice.Bytes(1)),
              "the key has a row in each of the epochs " + std::string(twice.Bytes(2))});
    }
    twice.Finish();
}

}  // namespace

void CheckWorkingRows(const LogEpochs& epochs, const FindingSink& sink) {
    // While no branch is stored there is main, which has id 1.
    OwnerQuery stray(
        "SELECT (w.epoch >> 32)::int, count(*) FROM _kvs.working AS w "
        "WHERE NOT EXISTS (SELECT FROM _kvs.branch AS b WHERE b.id = w.epoch >> 32)"
        " AND (w.epoch >> 32 <> 1 OR EXISTS (SELECT FROM _kvs.branch)) "
        "GROUP BY 1 ORDER BY 1");
    while (stray.Next()) {
        sink({"error", "dangling_ref", "branch " + std::to_string(stray.Int4(1)),
              "the branch does not exist but has uncommitted work (" + std::to_string(stray.Int8(2)) +
                  " keys)"});
    }
    stray.Finish();
    CheckEpochs(sink);

    enum Column {
        kSeqOfRow = 1,
        kVersionOfRow,
        kKeyOfRow,
        kMetaOfRow,
        kItemOfRow,
        kLogged,
        kAgrees,
        kLoggedMeta
    };
    OwnerQuery row(
        "SELECT w.change_seq, w.version, w.key, w.meta, w.item, c.seq IS NOT NULL,"
        " c.key IS NOT DISTINCT FROM w.key AND c.branch_id = w.epoch >> 32 AND c.version = w.version"
        " AND c.item IS NOT DISTINCT FROM w.item, c.meta "
        "FROM _kvs.working AS w LEFT JOIN _kvs.change AS c ON c.seq = w.change_seq "
        "ORDER BY w.epoch >> 32, w.key");
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
        } else if (problem.empty() && is_logged &&
                   (!row.Bool(kAgrees) ||
                    epochs.WholeMetadata(row.Bytes(kLoggedMeta), row.Int8(kVersionOfRow), seq) !=
                        row.Bytes(kMetaOfRow))) {
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
