// How a transaction that wrote to the store is acknowledged: kvs.durability.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// Called by whatever changes stored state; the setting is looked at when the transaction commits. Server
// code.
void NoteWrite();

}  // namespace kvs::pg
