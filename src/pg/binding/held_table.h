// Keys that a binding has put off, because somebody held the row or the entry, _kvs.binding_held: each for
// twice as long as before.
#pragma once

#include <string>
#include <vector>

#include "pg/wall/server.h"

namespace kvs::pg {

struct HeldKey {
    std::string key;
    bool by_store = false;  // as in Mark
    bool by_table = false;
    TimestampTz stored_at = 0;
    TimestampTz changed_at = 0;
    int delay = 0;  // ms for which it was put off last
};

// Those that are due, taken away. `next_due`: when there will be others; DT_NOEND: there are none.
std::vector<HeldKey> TakeDueKeys(int32 binding, TimestampTz* next_due);

// Puts keys off. Returns when the first of them will be due.
TimestampTz HoldKeys(int32 binding, const std::vector<HeldKey>& keys);

}  // namespace kvs::pg
