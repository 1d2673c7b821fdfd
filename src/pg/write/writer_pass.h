// Of the writer alone: what it knows of a key while it tries to write it.
#pragma once

#include "pg/read/read_view.h"
#include "pg/write/writer.h"

namespace kvs::pg {

// One try at one key.
struct Writer::Pass {
    bool has_row = false;
    WorkingRow row{};
    FoundBytes meta;  // of the row or the trees
    FoundBytes item;
    bool written_before = false;
    Metadata old;

    int64 seq = 0;
    int64 version = 0;
    Datum new_meta = 0;  // in unlogged_context_
    Datum new_item = 0;
};

}  // namespace kvs::pg
