// Training of dictionaries on the chunks of the store.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kvs/codec/dictionary.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// What came of a class of chunks.
struct Training {
    ChunkClass chunk_class = ChunkClass::kLeaf;
    int64 samples = 0;           // trained on
    int64 bytes_without = 0;     // that chunks which were not trained on take as they are compressed now
    int64 bytes_with = 0;        // and with the dictionary
    std::optional<uint32_t> id;  // of the dictionary; not set: it does not pay, and was thrown away
};

// Trains a dictionary for each class of which a sample of the store holds enough chunks, and stores those
// that save at least a tenth on chunks that they were not trained on, against the dictionary that is in use,
// if any. New chunks are compressed with them from then on. Notes what came of it in _kvs.training. The
// access guard has to be asked before. Waits for other trainings and for repacking.
std::vector<Training> TrainDictionaries();

}  // namespace kvs::pg
