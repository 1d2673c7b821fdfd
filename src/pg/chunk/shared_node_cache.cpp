#include "pg/chunk/shared_node_cache.h"

#include <cstring>
#include <memory>
#include <optional>

#include "kvs/tree/node.h"
#include "pg/wall/guard.h"
#include "pg/wall/server.h"

extern "C" {
#include "port/atomics.h"
}

namespace kvs::pg {

namespace {

constexpr size_t kPartitions = kNodeCachePartitions;
constexpr uint32 kNoEntry = UINT32_MAX;
constexpr size_t kTypicalNode = 2048;  // sizes the hash table; smaller nodes make longer chains

// A node in the ring, followed by its bytes, padded to 8.
struct Entry {
    Hash address;
    uint32 size;
    uint32 next;     // chain of the hash bucket: offset in units of 8 bytes
    bool is_linked;  // in that chain; changed under the exclusive lock
    pg_atomic_uint32 referenced;
    pg_atomic_uint32 pins;
};

constexpr size_t EntryFootprint(size_t size) {
    return (sizeof(Entry) + size + 7) & ~size_t{7};
}

SharedNodeCache* shared_cache;

// The entries that this backend has pinned.
constexpr int kMaxPins = 32;
struct {
    bool registered;
    Entry* entries[kMaxPins];
} pinned;

void Unpin(int slot) {
    pg_atomic_fetch_sub_u32(&pinned.entries[slot]->pins, 1);
    pinned.entries[slot] = nullptr;
}

void UnpinAtExit(int, Datum) {
    for (int slot = 0; slot < kMaxPins; slot++) {
        if (pinned.entries[slot] != nullptr) {
            Unpin(slot);
        }
    }
}

int FreePin() {
    for (int slot = 0; slot < kMaxPins; slot++) {
        if (pinned.entries[slot] == nullptr) {
            return slot;
        }
    }
    return -1;
}

}  // namespace

// Entries lie from tail to head, in the order they were written; where one did not fit before the end, the
// rest of the ring is skipped: `wrap` is where the last entry before the end stops.
struct SharedNodeCache::Partition {
    LWLock* lock;
    size_t capacity;
    uint32 bucket_mask;

    // Apart from what look-ups read.
    alignas(PG_CACHE_LINE_SIZE) size_t head;
    size_t tail;
    size_t wrap;
    size_t used;  // bytes between tail and head, skipped ones excluded; 0: empty
    uint64_t evictions;

    uint32* Buckets() {
        return reinterpret_cast<uint32*>(reinterpret_cast<char*>(this) + MAXALIGN(sizeof(Partition)));
    }
    char* Ring() {
        return reinterpret_cast<char*>(Buckets()) + MAXALIGN((bucket_mask + size_t{1}) * sizeof(uint32));
    }
    Entry* At(size_t offset) { return reinterpret_cast<Entry*>(Ring() + offset); }

    uint32* BucketOf(const Hash& address) {
        uint32 word;
        memcpy(&word, address.bytes.data() + 8, sizeof(word));
        return &Buckets()[word & bucket_mask];
    }

    Entry* Find(const Hash& address) {
        for (uint32 at = *BucketOf(address); at != kNoEntry;) {
            Entry* entry = At(size_t{at} * 8);
            if (entry->address == address) {
                return entry;
            }
            at = entry->next;
        }
        return nullptr;
    }

    // Nobody finds the oldest entry any more, so nobody new pins it.
    void UnlinkOldest() {
        Entry* entry = At(tail);
        if (!entry->is_linked) {
            return;
        }
        entry->is_linked = false;
        uint32* link = BucketOf(entry->address);
        while (*link != tail / 8) {
            link = &At(size_t{*link} * 8)->next;
        }
        *link = entry->next;
    }

    // Whether the oldest entry, once unlinked, may be overwritten.
    bool OldestIsFree() { return pg_atomic_read_u32(&At(tail)->pins) == 0; }

    // Takes the oldest entry out of the ring; gives a node that was read a second life if `spare` can hold
    // it.
    void EvictOldest(char* spare, size_t spare_size, size_t* spared) {
        Entry* entry = At(tail);
        const size_t footprint = EntryFootprint(entry->size);
        const bool was_linked = entry->is_linked;
        UnlinkOldest();
        *spared = 0;
        if (was_linked && pg_atomic_read_u32(&entry->referenced) != 0 && footprint <= spare_size) {
            memcpy(spare, static_cast<void*>(entry), footprint);
            *spared = footprint;
        }
        tail += footprint;
        used -= footprint;
        evictions++;
        if (used == 0) {
            head = tail = 0;
            wrap = capacity;
        } else if (tail == wrap && head <= tail) {
            tail = 0;
            wrap = capacity;
        }
    }

    // Offset where `footprint` bytes fit without overwriting, or SIZE_MAX.
    size_t Room(size_t footprint) {
        if (used == 0 || head > tail) {
            if (capacity - head >= footprint) {
                return head;
            }
            return tail > footprint ? 0 : SIZE_MAX;
        }
        return tail - head > footprint ? head : SIZE_MAX;
    }

    void Append(const Hash& address, const char* bytes, size_t size) {
        const size_t footprint = EntryFootprint(size);
        size_t at = Room(footprint);
        if (at == 0 && head != 0) {
            wrap = head;
        }
        Entry* entry = At(at);
        entry->address = address;
        entry->size = static_cast<uint32>(size);
        entry->is_linked = true;
        pg_atomic_init_u32(&entry->referenced, 0);
        pg_atomic_init_u32(&entry->pins, 0);
        memcpy(static_cast<void*>(entry + 1), bytes, size);
        uint32* bucket = BucketOf(address);
        entry->next = *bucket;
        *bucket = static_cast<uint32>(at / 8);
        head = at + footprint;
        used += footprint;
    }
};

SharedNodeCache* SharedNodeCache::Get() {
    return shared_cache;
}

namespace {

size_t PartitionCapacity(size_t capacity) {
    return (capacity / kPartitions) & ~size_t{7};
}

uint32 BucketCount(size_t partition_capacity) {
    uint32 count = 64;
    while (count < partition_capacity / kTypicalNode) {
        count *= 2;
    }
    return count;
}

size_t Stride(size_t header, size_t partition_capacity) {
    return CACHELINEALIGN(MAXALIGN(header) + MAXALIGN(BucketCount(partition_capacity) * sizeof(uint32)) +
                          partition_capacity);
}

}  // namespace

// Of look-ups, by all backends. Ahead of the partitions.
struct SharedNodeCache::Counters {
    alignas(PG_CACHE_LINE_SIZE) pg_atomic_uint64 hits;
    pg_atomic_uint64 misses;
};

size_t SharedNodeCache::SharedSize(size_t capacity) {
    return sizeof(Counters) + kPartitions * Stride(sizeof(Partition), PartitionCapacity(capacity)) +
           PG_CACHE_LINE_SIZE;
}

void SharedNodeCache::Attach(size_t capacity) {
    bool found;
    char* memory = static_cast<char*>(ShmemInitStruct("kvs node cache", SharedSize(capacity), &found));
    auto* cache =
        static_cast<SharedNodeCache*>(MemoryContextAllocZero(TopMemoryContext, sizeof(SharedNodeCache)));
    const size_t partition_capacity = PartitionCapacity(capacity);
    cache->counters_ = reinterpret_cast<Counters*>(CACHELINEALIGN(memory));
    cache->base_ = reinterpret_cast<char*>(cache->counters_ + 1);
    cache->partition_stride_ = Stride(sizeof(Partition), partition_capacity);
    if (!found) {
        pg_atomic_init_u64(&cache->counters_->hits, 0);
        pg_atomic_init_u64(&cache->counters_->misses, 0);
        LWLockPadded* locks = GetNamedLWLockTranche(kNodeCacheTranche);
        for (size_t i = 0; i < kPartitions; i++) {
            Partition* partition = cache->PartitionAt(i);
            *partition = Partition{};
            partition->lock = &locks[i].lock;
            partition->capacity = partition_capacity;
            partition->wrap = partition_capacity;
            partition->bucket_mask = BucketCount(partition_capacity) - 1;
            for (size_t b = 0; b <= partition->bucket_mask; b++) {
                partition->Buckets()[b] = kNoEntry;
            }
        }
    }
    shared_cache = cache;
}

void SharedNodeCache::Count(uint64_t hits, uint64_t misses) {
    pg_atomic_fetch_add_u64(&counters_->hits, static_cast<int64>(hits));
    pg_atomic_fetch_add_u64(&counters_->misses, static_cast<int64>(misses));
}

NodeCacheCounts SharedNodeCache::counts() {
    NodeCacheCounts counts{pg_atomic_read_u64(&counters_->hits), pg_atomic_read_u64(&counters_->misses), 0};
    for (size_t i = 0; i < kPartitions; i++) {
        Partition* partition = PartitionAt(i);
        Guarded([&] { LWLockAcquire(partition->lock, LW_SHARED); });
        counts.evictions += partition->evictions;
        LWLockRelease(partition->lock);
    }
    return counts;
}

bool SharedNodeCache::Find(const Hash& address, std::string* out) {
    Partition* partition = PartitionOf(address);
    Guarded([&] { LWLockAcquire(partition->lock, LW_SHARED); });
    Entry* entry = partition->Find(address);
    if (entry == nullptr) {
        LWLockRelease(partition->lock);
        return false;
    }
    // Copied twice, because growing the string could fail while the lock is held.
    static char copy[UINT16_MAX];
    const size_t size = entry->size;
    memcpy(copy, static_cast<const void*>(entry + 1), size);
    if (pg_atomic_read_u32(&entry->referenced) == 0) {
        pg_atomic_write_u32(&entry->referenced, 1);
    }
    LWLockRelease(partition->lock);
    out->assign(copy, size);
    return true;
}

NodeRef SharedNodeCache::Borrow(const Hash& address) {
    const int slot = FreePin();
    if (slot < 0) {
        return nullptr;
    }
    if (!pinned.registered) {
        Guarded([] { before_shmem_exit(UnpinAtExit, Datum{0}); });
        pinned.registered = true;
    }
    // The pin and the node go away together. Made before the pin, because afterwards nothing may fail.
    struct BorrowedNode {
        int slot = -1;
        std::optional<Node> node;
        ~BorrowedNode() {
            if (slot >= 0) {
                Unpin(slot);
            }
        }
    };
    auto borrowed = std::make_shared<BorrowedNode>();
    Partition* partition = PartitionOf(address);
    Guarded([&] { LWLockAcquire(partition->lock, LW_SHARED); });
    Entry* entry = partition->Find(address);
    if (entry != nullptr) {
        pg_atomic_fetch_add_u32(&entry->pins, 1);
        pinned.entries[slot] = entry;
        borrowed->slot = slot;
        if (pg_atomic_read_u32(&entry->referenced) == 0) {
            pg_atomic_write_u32(&entry->referenced, 1);
        }
    }
    LWLockRelease(partition->lock);
    if (entry == nullptr) {
        return nullptr;
    }
    borrowed->node.emplace(
        Node::Borrowed{std::string_view(reinterpret_cast<const char*>(entry + 1), entry->size)});
    return {borrowed, &*borrowed->node};
}

void SharedNodeCache::Add(const Hash& address, const char* bytes, size_t size) {
    Partition* partition = PartitionOf(address);
    const size_t footprint = EntryFootprint(size);
    if (footprint > partition->capacity / 4) {
        return;
    }
    // At most this many entries get a second life per insertion, so that one Add has a bounded cost.
    constexpr int kMaxSpared = 4;
    alignas(8) static char spare[EntryFootprint(UINT16_MAX)];
    Guarded([&] { LWLockAcquire(partition->lock, LW_EXCLUSIVE); });
    if (partition->Find(address) == nullptr) {
        int spared_count = 0;
        while (partition->Room(footprint) == SIZE_MAX) {
            if (!partition->OldestIsFree()) {
                partition->UnlinkOldest();
                LWLockRelease(partition->lock);
                return;
            }
            size_t spared = 0;
            partition->EvictOldest(spare, spared_count < kMaxSpared ? sizeof(spare) : 0, &spared);
            if (spared == 0) {
                continue;
            }
            spared_count++;
            const auto* entry = reinterpret_cast<const Entry*>(spare);
            if (partition->Room(spared) != SIZE_MAX) {
                partition->evictions--;
                partition->Append(entry->address, reinterpret_cast<const char*>(entry + 1), entry->size);
            }
        }
        partition->Append(address, bytes, size);
    }
    LWLockRelease(partition->lock);
}

}  // namespace kvs::pg
