#include "pg/observe/operation_counts.h"

#include <algorithm>
#include <iterator>

extern "C" {
#include "port/atomics.h"
#include "utils/syscache.h"
}

namespace kvs::pg {

namespace {

constexpr int kRows = 512;
constexpr int kStripes = 8;
constexpr size_t kCacheLine = 64;

struct alignas(kCacheLine) Stripe {
    pg_atomic_uint64 total;
    pg_atomic_uint64 errors;
    pg_atomic_uint64 least;  // UINT64_MAX: none yet
    pg_atomic_uint64 greatest;
    pg_atomic_uint64 buckets[kLatencyBuckets];
};

}  // namespace

// The name is written before the database, under the lock, and then stays until the database is gone.
struct CountedOperation {
    pg_atomic_uint32 database;  // invalid: the row is free
    char name[NAMEDATALEN];
    Stripe stripes[kStripes];
};

namespace {

struct Counts {
    LWLock* lock;                // of who takes rows
    pg_atomic_uint32 told_full;  // whether the server's log has it that there is no room
    CountedOperation rows[kRows];
};

Counts* shared;  // null unless preloaded

void Clear(CountedOperation* row) {
    for (Stripe& stripe : row->stripes) {
        pg_atomic_write_u64(&stripe.total, 0);
        pg_atomic_write_u64(&stripe.errors, 0);
        pg_atomic_write_u64(&stripe.least, UINT64_MAX);
        pg_atomic_write_u64(&stripe.greatest, 0);
        for (pg_atomic_uint64& bucket : stripe.buckets) {
            pg_atomic_write_u64(&bucket, 0);
        }
    }
}

bool IsOf(CountedOperation* row, Oid database) {
    return pg_atomic_read_u32(&row->database) == database;
}

// The caller holds the lock.
CountedOperation* FindOrTake(const char* name) {
    CountedOperation* free = nullptr;
    for (CountedOperation& row : shared->rows) {
        if (IsOf(&row, MyDatabaseId) && strcmp(row.name, name) == 0) {
            return &row;
        }
        if (free == nullptr && IsOf(&row, InvalidOid)) {
            free = &row;
        }
    }
    if (free != nullptr) {
        Clear(free);
        strlcpy(free->name, name, sizeof(free->name));
        pg_write_barrier();
        pg_atomic_write_u32(&free->database, MyDatabaseId);
    }
    return free;
}

// Frees the rows of databases that have been dropped: nobody counts in them any more.
void FreeRowsOfDroppedDatabases() {
    for (CountedOperation& row : shared->rows) {
        uint32 database = pg_atomic_read_u32(&row.database);
        if (OidIsValid(database) && !SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database))) {
            pg_atomic_compare_exchange_u32(&row.database, &database, InvalidOid);
        }
    }
}

void Lower(pg_atomic_uint64* place, uint64 value) {
    uint64 seen = pg_atomic_read_u64(place);
    while (value < seen && !pg_atomic_compare_exchange_u64(place, &seen, value)) {
    }
}

void Raise(pg_atomic_uint64* place, uint64 value) {
    uint64 seen = pg_atomic_read_u64(place);
    while (value > seen && !pg_atomic_compare_exchange_u64(place, &seen, value)) {
    }
}

OperationCounts Sum(CountedOperation* row) {
    OperationCounts sum = {};
    sum.operation = row->name;
    sum.least = UINT64_MAX;
    for (Stripe& stripe : row->stripes) {
        sum.total += pg_atomic_read_u64(&stripe.total);
        sum.errors += pg_atomic_read_u64(&stripe.errors);
        sum.least = std::min<uint64>(sum.least, pg_atomic_read_u64(&stripe.least));
        sum.greatest = std::max<uint64>(sum.greatest, pg_atomic_read_u64(&stripe.greatest));
        for (int i = 0; i < kLatencyBuckets; i++) {
            const uint64 count = pg_atomic_read_u64(&stripe.buckets[i]);
            sum.buckets[i] += count;
            sum.calls += count;
        }
    }
    return sum;
}

}  // namespace

size_t OperationCountsMemory() {
    return sizeof(Counts);
}

void AttachOperationCounts() {
    bool found;
    shared = static_cast<Counts*>(ShmemInitStruct("kvs operation counts", sizeof(Counts), &found));
    if (found) {
        return;
    }
    // A row is cleared when it is taken, so that the memory of those that nobody needs is never touched.
    shared->lock = &GetNamedLWLockTranche(kOperationCountsTranche)->lock;
    pg_atomic_init_u32(&shared->told_full, 0);
    for (CountedOperation& row : shared->rows) {
        pg_atomic_init_u32(&row.database, InvalidOid);
    }
}

CountedOperation* FindCountedOperation(const char* name) {
    for (const bool again : {false, true}) {
        if (again) {
            FreeRowsOfDroppedDatabases();
        }
        LWLockAcquire(shared->lock, LW_EXCLUSIVE);
        CountedOperation* row = FindOrTake(name);
        LWLockRelease(shared->lock);
        if (row != nullptr) {
            return row;
        }
    }
    if (pg_atomic_exchange_u32(&shared->told_full, 1) == 0) {
        ereport(LOG, errmsg("there is no room to count more operations of kvs"),
                errdetail("%d operations of all databases are counted.", kRows));
    }
    return nullptr;
}

void CountOperation(CountedOperation* operation, uint64 duration, bool failed) {
    Stripe* stripe = &operation->stripes[static_cast<uint32>(MyProcPid) % kStripes];
    pg_atomic_fetch_add_u64(&stripe->buckets[LatencyBucket(duration)], 1);
    pg_atomic_fetch_add_u64(&stripe->total, static_cast<int64>(duration));
    Lower(&stripe->least, duration);
    Raise(&stripe->greatest, duration);
    if (failed) {
        pg_atomic_fetch_add_u64(&stripe->errors, 1);
    }
}

void ForEachOperation(const std::function<void(const OperationCounts& counts)>& visit) {
    for (int i = 0; shared != nullptr && i < kRows; i++) {
        CountedOperation* row = &shared->rows[i];
        if (!IsOf(row, MyDatabaseId)) {
            continue;
        }
        pg_read_barrier();
        const OperationCounts counts = Sum(row);
        if (counts.calls > 0) {
            visit(counts);
        }
    }
}

void ResetOperationCounts() {
    for (int i = 0; shared != nullptr && i < kRows; i++) {
        if (IsOf(&shared->rows[i], MyDatabaseId)) {
            Clear(&shared->rows[i]);
        }
    }
}

}  // namespace kvs::pg
