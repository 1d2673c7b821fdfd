// Of the writer alone: what it knows of a key while it tries to write it.
#pragma once

#include <optional>

#include "kvs/codec/item.h"
#include "pg/read/read_view.h"
#include "pg/write/writer.h"

namespace kvs::pg {

// One try at one key.
struct WritePass {
    Datum key = 0;
    bool has_row = false;
    WorkingRow row{};
    FoundBytes meta;                 // of the row or the trees
    std::optional<FoundBytes> item;  // once it is read; of a tree only when it is asked for
    std::optional<DataItem> decoded_item;
    bool written_before = false;
    Metadata old;

    int64 seq = 0;
    int64 version = 0;
    Datum new_meta = 0;  // in unlogged_context_
    Datum new_item = 0;
};

}  // namespace kvs::pg
