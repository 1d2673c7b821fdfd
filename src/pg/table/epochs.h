// Epochs of working rows. What is written to a branch goes to its current epoch, and each move of the branch
// (flush, commit, rewrite) begins the next one; so what a flush has folded lies in an epoch that soon nobody
// looks into any more. That matters because a folded row stays in the table, dead, until no transaction of
// the whole cluster is older than the flush: one that is open somewhere would make everybody walk all rows
// that were folded since.
//
// Why this is right is docs/decisions/0020-epochs.md. The rules:
//
// 1. A branch's row names its live epochs: the current one, and older ones in which rows may be left. They
// are
//    read under the snapshot that reads the rows.
// 2. Rows are inserted in the current epoch alone, as it is committed; a row is completed only if the epoch
// is
//    still current after its entry is in the index. So once a move is visible, nothing comes into the epochs
//    before it, and what will ever be in them can be found there.
// 3. A key has at most one row in all live epochs together. Whoever finds its row in an older epoch moves it.
// 4. An older epoch is dropped by a later move, if that has seen no unfinished insertion in it, and then
// folded
//    all of it.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// An epoch is a number: that of the branch in the high half, a count in the low half. So all epochs of a
// branch lie together in an index, later ones behind.
constexpr int kEpochBits = 32;

inline int64 FirstEpoch(int32 branch) {
    return static_cast<int64>(static_cast<uint64>(branch) << kEpochBits);
}

inline int64 LastEpoch(int32 branch) {
    return FirstEpoch(branch) | PG_UINT32_MAX;
}

// The live epochs of a branch, the current one first, older ones in descending order. Empty: no branch.
struct Epochs {
    // A branch has no more: while so many are live, it stays in its epoch when it moves.
    static constexpr int kMax = 8;
    // What a snapshot shows, and what is there now.
    static constexpr int kRoom = 2 * kMax;

    int count;
    int64 numbers[kRoom];
    int64 folded_rows = 0;  // by the last flush: about so many dead rows are in the older ones

    int64 current() const { return numbers[0]; }
    int32 branch() const { return static_cast<int32>(numbers[0] >> kEpochBits); }
    const int64* begin() const { return numbers; }
    const int64* end() const { return numbers + count; }

    bool Contains(int64 epoch) const {
        for (const int64 number : *this) {
            if (number == epoch) {
                return true;
            }
        }
        return false;
    }

    // Keeps the order.
    void Add(int64 epoch) {
        if (!Contains(epoch)) {
            int at = count++;
            for (; at > 0 && numbers[at - 1] < epoch; at--) {
                numbers[at] = numbers[at - 1];
            }
            numbers[at] = epoch;
        }
    }
    void Add(const Epochs& others) {
        for (const int64 epoch : others) {
            Add(epoch);
        }
    }
};

}  // namespace kvs::pg
