// The two trees of a state of a branch: its data and its metadata.
#pragma once

#include "kvs/hash.h"
#include "kvs/tree/chunk.h"

namespace kvs {

struct TreePair {
    Hash data_root = kEmptyRoot;
    Hash meta_root = kEmptyRoot;

    bool operator==(const TreePair&) const = default;
};

}  // namespace kvs
