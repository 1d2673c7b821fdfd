// Epochs of working rows that have run empty (table/epochs.h). The next move of a branch drops them; until
// then whoever writes a key for the first time would probe each of them three times in vain, who reads one
// once.
//
// So a session that has paid often enough searches them, and remembers which are empty for good. That is so
// under every snapshot that was taken behind the search: nothing comes into an older epoch any more, and what
// was in it has been deleted by transactions that such a snapshot sees. Under an older snapshot a row may be
// there that a writer has moved since.
//
//     S is taken;  W moves the last row of epoch 1 to epoch 2;  1 is found empty:  under S the row is in 1
//     still
//
// Errors: PgError.
#pragma once

#include <vector>

#include "pg/table/epochs.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Takes older epochs away that this session knows to be empty under `snapshot`; `file` is where the table of
// branches lies that they were read from. Server code.
void ForgetEmptyEpochs(Oid file, Snapshot snapshot, Epochs* epochs);

// The older epochs of a branch, as read under a snapshot of this transaction, were probed in vain, or are
// about to be, `probes` times. Searches them if it was done often enough since the last search; true if one
// was found empty: then the branch read anew does without it. Server code.
bool SearchOlderEpochs(const Epochs& epochs, int64 probes);

// This transaction has moved a row to another epoch, or the branch; after that it searches nothing. Server
// code.
void NoteDeletedRows();

std::vector<int32> BranchesWithOlderEpochs();

// Drops those of a branch that are empty for good, by the rule of a flush; nothing if the branch is locked by
// who moves it, or gone. Returns how many.
int DropEmptyEpochs(int32 branch_id);

}  // namespace kvs::pg
