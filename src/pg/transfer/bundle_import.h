// What kvs.import_bundle() reads.
#pragma once

#include "kvs/hash.h"
#include "pg/wall/arguments.h"

namespace kvs::pg {

// Takes over a bundle, whose parts these are, all of them and in their order; its head becomes a ref of
// remote "bundle" and is the answer. The caller holds the lock of BeginRefEdit. Errors: kWrongState for parts
// that are missing and commits that the bundle builds on, kCorruption.
Hash ImportBundle(const DatumArray& parts);

}  // namespace kvs::pg
