// The first half of garbage collection: finds under one snapshot what nothing reaches.
//
// Commits are taken in the order of their generations, children before parents, so that one pass over the
// sorted table decides each of them, and only parents that are still to come are remembered. Trees are taken
// level by level, from the top: what is to be read of a level is sorted by address and so read once, whatever
// number of trees it is part of. All sets of addresses are sorted by the server, in memory up to a limit and
// beyond it on disk: the result is exact, whatever the size of the store.
//
// A node is verified before it is believed. Behind damage it is not known what is reached, so a mark that
// meets any raises kCorruption: nothing is collected from a damaged store.
//
// A pack tells no more of its members' addresses than their first bytes. A member is garbage if nothing in
// use has an address that begins like this, and in use if there is one such address and one such member; in
// the rare cases between, among them chunks that are stored twice, it is unpacked and hashed.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "kvs/hash.h"
#include "kvs/tree/node.h"
#include "pg/chunk/pack_encoder.h"
#include "pg/chunk/stored_chunks.h"
#include "pg/upkeep/garbage.h"
#include "pg/upkeep/gc_progress.h"
#include "pg/upkeep/gc_roots.h"
#include "pg/wall/address_sort.h"
#include "pg/wall/row_sort.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct MarkResult {
    // Commits and chunks that stay, and that are garbage; bytes as they are stored.
    int64 objects_live = 0;
    int64 bytes_live = 0;
    int64 objects_found = 0;
    int64 bytes_found = 0;
};

class Mark {
  public:
    // `snapshot` is registered and active. exact_bytes: what packs take without their garbage is found out by
    // packing the rest, so that bytes_found is what a sweep would free; otherwise only packs that go as a
    // whole count.
    Mark(Snapshot snapshot, TimestampTz reflog_since, bool exact_bytes, GcReport* report);

    // Adds what nothing reaches to `garbage`.
    MarkResult Run(Garbage* garbage);

  private:
    // The addresses that were put into a sort lately, so that few are put in twice: versions of a tree share
    // nearly all of their nodes.
    class Recent {
      public:
        explicit Recent(size_t bytes);
        // Whether it is not known to have been there.
        bool Add(const Hash& address);

      private:
        std::vector<Hash> slots_;
    };

    void MarkCommits(Garbage* garbage);
    void MarkTrees();
    void AddRoot(Root::Kind kind, const Hash& root);
    void AddNode(const Hash& address, int level, bool is_data);
    NodeRef ReadNode(const Hash& address);
    void Visit(const Hash& address, const Node& node, bool is_data);
    struct Group;
    int64 CollectStored(AddressSort* stored);
    int64 CollectMembers(RowSort* members);
    void Compare(Garbage* garbage);
    void CompareGroup(const Group& group, Garbage* garbage, RowSort* dead);
    void AddDeadMembers(RowSort* dead, Garbage* garbage);
    int64 BytesFreed(int64 pack, const std::vector<int64>& members);
    std::optional<Hash> AddressOfMember(int64 pack, int64 member);

    Snapshot snapshot_;
    TimestampTz reflog_since_;
    bool exact_bytes_;
    GcReport* report_;
    StoredChunks stored_;
    PackEncoder encoder_;
    AddressSort roots_;
    AddressSort live_;
    std::array<std::optional<AddressSort>, kMaxLevel + 1> levels_;
    Recent recent_data_;
    Recent recent_metadata_;
    MarkResult result_;
};

}  // namespace kvs::pg
