// The rows of _kvs.commit as they stand there, trusted in nothing: for check and repair. A row holds a commit
// twice, encoded and as columns for SQL.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "kvs/version/commit.h"
#include "pg/table/change_log.h"
#include "pg/table/owner_query.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class CommitRows {
  public:
    // By hash, under the active snapshot.
    CommitRows();

    // Moves to the next row; false after the last. Views are valid until then.
    bool Next() { return row_.Next(); }

    std::string_view hash_bytes() { return row_.Bytes(1); }
    std::optional<Hash> hash() { return row_.Address(1); }
    std::string_view body();

    // The commit itself, if it is one and hashes to the row's hash; else `problem` says what is wrong.
    std::optional<Commit> Decode(std::string* problem);

    // Names of the columns that say something else than the commit.
    std::string DifferingColumns(const Commit& commit);

    // What the columns say, as far as they say it: further trees are in the encoded commit alone.
    std::vector<Hash> parents();
    TreePair roots();
    Commit FromColumns();

    // To be called on the normal way out.
    void Finish() { row_.Finish(); }

  private:
    OwnerQuery row_;
};

// Writes both forms of a commit into the row of its hash.
void RewriteCommitRow(const Hash& hash, const Commit& commit);

}  // namespace kvs::pg
