#include "pg/upkeep/repack_state.h"

#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

// Where the server's statistics began anew meanwhile (a crash, another server), nobody knows, and one
// repacking too many does no harm; where there was none yet, what vacuum has counted helps.
constexpr const char* kDueQuery = R"(
SELECT coalesce(NOT l.is_complete OR s.inserted < l.chunks_inserted OR pg_stat_get_bgwriter_stat_reset_time() > l.at, false)
    OR CASE WHEN l.at IS NULL THEN greatest(s.inserted, s.rows) ELSE s.inserted - l.chunks_inserted END >= $1
FROM (SELECT pg_stat_get_tuples_inserted(c.oid) AS inserted, c.reltuples::bigint AS rows
      FROM pg_class AS c WHERE c.oid = '_kvs.chunk'::regclass) AS s
     LEFT JOIN (SELECT * FROM _kvs.repacking ORDER BY at DESC LIMIT 1) AS l ON true
)";

// $5: the frontier, NULL to go on with that of before.
constexpr const char* kNoteQuery = R"(
WITH before AS (SELECT * FROM _kvs.repacking ORDER BY at DESC LIMIT 1),
     continued AS (DELETE FROM _kvs.repacking WHERE NOT is_complete RETURNING *)
INSERT INTO _kvs.repacking (at, chunks_rewritten, bytes_before, bytes_after, is_complete, chunks_inserted, frontier)
SELECT clock_timestamp(), $1 + coalesce(sum(c.chunks_rewritten), 0), $2 + coalesce(sum(c.bytes_before), 0),
       $3 + coalesce(sum(c.bytes_after), 0), $4, pg_stat_get_tuples_inserted('_kvs.chunk'::regclass),
       coalesce($5, (SELECT b.frontier FROM before AS b), '{}')
FROM continued AS c
)";

}  // namespace

std::vector<Hash> ReadRepackFrontier() {
    std::vector<Hash> frontier;
    OwnerQuery row(
        "SELECT unnest(r.frontier) FROM (SELECT frontier FROM _kvs.repacking ORDER BY at DESC LIMIT 1) AS r");
    while (row.Next()) {
        if (const std::optional<Hash> commit = row.Address(1)) {
            frontier.push_back(*commit);
        }
    }
    row.Finish();
    return frontier;
}

void NoteRepacking(const RepackResult& result, const std::unordered_set<Hash, HashOfHash>* frontier) {
    ExecuteAsOwner(kNoteQuery,
                   {Parameter::Int8(result.chunks_rewritten), Parameter::Int8(result.bytes_before),
                    Parameter::Int8(result.bytes_after), Parameter::Bool(result.is_complete),
                    frontier != nullptr ? Parameter::Addresses({frontier->begin(), frontier->end()})
                                        : Parameter::Null(BYTEAARRAYOID)});
}

bool IsRepackingDue(int64 new_chunks) {
    OwnerQuery row(kDueQuery, {Parameter::Int8(new_chunks)});
    const bool is_due = row.Next() && row.Bool(1);
    row.Finish();
    return is_due;
}

}  // namespace kvs::pg
