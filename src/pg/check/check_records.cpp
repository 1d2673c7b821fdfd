#include "pg/check/check_records.h"

#include <optional>
#include <string>

#include "kvs/util/quote.h"
#include "kvs/version/commit.h"
#include "pg/table/branch_table.h"
#include "pg/table/owner_query.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

std::string Hex(const std::optional<Hash>& commit) {
    return commit ? commit->ToHex() : "which is no address";
}

void CheckLastMoves(const FindingSink& sink) {
    enum Column { kName = 1, kId, kHead, kMove, kMoveName, kMovedTo, kHeadExists };
    OwnerQuery row(
        "SELECT b.name, coalesce(b.id, l.branch_id), b.head, l.id, l.branch, l.to_commit,"
        " b.head = _kvs.initial_commit() OR EXISTS (SELECT FROM _kvs.commit AS c WHERE c.hash = b.head) "
        "FROM _kvs.branch AS b FULL JOIN (SELECT DISTINCT ON (branch_id) branch_id, id, branch, to_commit"
        " FROM _kvs.reflog ORDER BY branch_id, id DESC) AS l ON l.branch_id = b.id "
        "ORDER BY 2");
    while (row.Next()) {
        const bool exists = !row.IsNull(kName);
        const bool was_moved = !row.IsNull(kMove);
        const std::string name = "branch " + Quoted(row.Bytes(exists ? kName : kMoveName));
        const auto report = [&](const std::string& problem) {
            sink({"error", "dangling_ref", name, problem});
        };
        if (!was_moved) {
            if (row.Int4(kId) != kMainBranchId || row.Address(kHead) != kInitialCommit) {
                report("the reflog does not know how it came about");
            }
            continue;
        }
        const std::string move = "move " + std::to_string(row.Int8(kMove)) + ", its last one,";
        if (row.IsNull(kMovedTo)) {
            if (exists) {
                report(move + " deleted it, but it exists");
            }
            continue;
        }
        const std::optional<Hash> moved_to = row.Address(kMovedTo);
        if (!exists) {
            report(move + " went to commit " + Hex(moved_to) + ", but it does not exist");
        } else if (row.Bytes(kMoveName) != row.Bytes(kName)) {
            report(move + " names it " + Quoted(row.Bytes(kMoveName)));
        } else if (row.Bool(kHeadExists) && row.Address(kHead) != moved_to) {
            report(move + " went to commit " + Hex(moved_to) + ", but it stands on commit " +
                   Hex(row.Address(kHead)));
        }
    }
    row.Finish();
}

void CheckFlushMarks(int64 low_seq, const FindingSink& sink) {
    OwnerQuery row(
        "SELECT b.name, b.flushed_seq FROM _kvs.branch AS b WHERE b.flushed_seq >= $1 AND NOT EXISTS"
        " (SELECT FROM _kvs.change AS c WHERE c.seq = b.flushed_seq AND c.branch_id = b.id AND c.key IS NOT "
        "NULL) "
        "ORDER BY b.id",
        {Parameter::Int8(low_seq)});
    while (row.Next()) {
        sink({"error", "broken_history", "branch " + Quoted(row.Bytes(1)),
              "change " + std::to_string(row.Int8(2)) +
                  ", which its last flush folded, is none of its changes"});
    }
    row.Finish();
}

}  // namespace

void CheckBranchRecords(int64 low_seq, const FindingSink& sink) {
    CheckLastMoves(sink);
    CheckFlushMarks(low_seq, sink);
}

void CheckStagedMerges(const FindingSink& sink) {
    OwnerQuery row(
        "SELECT coalesce(b.name, s.branch_id::text), b.id IS NOT NULL, m.branch_id IS NOT NULL,"
        " EXISTS (SELECT FROM _kvs.conflict AS c WHERE c.branch_id = s.branch_id) "
        "FROM (SELECT branch_id FROM _kvs.merge UNION SELECT branch_id FROM _kvs.conflict) AS s"
        " LEFT JOIN _kvs.branch AS b ON b.id = s.branch_id LEFT JOIN _kvs.merge AS m ON m.branch_id = "
        "s.branch_id "
        "ORDER BY s.branch_id");
    while (row.Next()) {
        const char* problem = !row.Bool(2)   ? "the branch does not exist"
                              : !row.Bool(3) ? "there are conflicts, but no merge is staged"
                              : !row.Bool(4) ? "it is staged, but there is no conflict"
                                             : nullptr;
        if (problem != nullptr) {
            sink({"error", "dangling_ref", "merge into branch " + Quoted(row.Bytes(1)), problem});
        }
    }
    row.Finish();
}

}  // namespace kvs::pg
