#include "pg/upkeep/repack_state.h"

#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

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

}  // namespace kvs::pg
