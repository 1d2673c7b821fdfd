#include "pg/table/locks.h"

#include <string>

#include "pg/table/catalog.h"
#include "pg/wall/guard.h"
#include "pg/wall/lock_timeout.h"
#include "pg/wall/server_hasher.h"
#include "pg/wall/settings.h"

extern "C" {
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "common/hashfn.h"
#include "pgstat.h"
#include "storage/latch.h"
}

namespace kvs::pg {

namespace {

constexpr long kRetryInterval = 20;  // ms

// Tells kvs.lock's tags from those of pg_advisory_lock, which uses 1 and 2 in this field.
constexpr uint16 kNamespaceLock = 0x6b76;

int writer_only_scopes = 0;

// Server code.
LOCKTAG ObjectTag(Object table, uint32 id) {
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ObjectOid(table), id, 0);
    return tag;
}

LOCKTAG UpkeepTag() {
    return ObjectTag(Object::kChunk, 0);
}

// Catches up with the invalidations of who held it before. Server code.
void LockObject(Object table, uint32 id, LOCKMODE mode) {
    LockDatabaseObject(ObjectOid(table), id, 0, mode);
}

// The same without waiting. Server code.
bool TryLock(const LOCKTAG& tag, LOCKMODE mode, bool for_session) {
    return LockAcquire(&tag, mode, for_session, true) != LOCKACQUIRE_NOT_AVAIL;
}

bool IsForbidden(LOCKMODE mode) {
    return mode > RowExclusiveLock && writer_only_scopes > 0;
}

// Error context callback: what the server's words of a timeout leave open.
void ExplainTimeout(void* name) {
    if (geterrcode() == ERRCODE_LOCK_NOT_AVAILABLE) {
        const bool is_ours = LockTimeout == settings.branch_lock_timeout;
        errdetail("Transactions that write to branch \"%s\", or rewrite it, did not end within %d ms.",
                  static_cast<const char*>(name), LockTimeout);
        errhint("Try again when they have ended, or raise %s.",
                is_ours ? "kvs.branch_lock_timeout" : "lock_timeout");
    }
}

// Error context callback: the same of a binding.
void ExplainBindingTimeout(void* name) {
    if (geterrcode() == ERRCODE_LOCK_NOT_AVAILABLE) {
        errdetail("A batch of binding \"%s\" has not ended.", static_cast<const char*>(name));
        errhint("Somebody may hold rows of the table, or the table itself. Try again when that has ended.");
    }
}

// Error context callback: the same of a subscription.
void ExplainConsumerTimeout(void*) {
    if (geterrcode() == ERRCODE_LOCK_NOT_AVAILABLE) {
        errdetail("Another transaction acts as this member, or consumes or drops the subscription.");
        errhint("Give each consumer a member name of its own; or try again when that transaction has ended.");
    }
}

LOCKTAG MemberTag(int32 subscription, std::string_view member) {
    const uint32 hash =
        hash_bytes(reinterpret_cast<const unsigned char*>(member.data()), static_cast<int>(member.size()));
    return ObjectTag(Object::kSubscriptionMember, hash_combine(hash, hash_bytes_uint32(subscription)));
}

LOCKTAG TurnTag(int32 subscription) {
    LOCKTAG tag = ObjectTag(Object::kSubscription, subscription);
    tag.locktag_field4 = 1;
    return tag;
}

// `lock` is server code.
template <typename Lock>
void LockForConsumer(Lock lock) {
    const LockTimeoutScope timeout(settings.branch_lock_timeout);
    Guarded([&] {
        ErrorContextCallback callback{error_context_stack, ExplainConsumerTimeout, nullptr};
        error_context_stack = &callback;
        lock();
        error_context_stack = callback.previous;
    });
}

// Names with the same hash share a lock, which costs nothing but waiting.
uint32 IdOfName(std::string_view name) {
    return hash_bytes(reinterpret_cast<const unsigned char*>(name.data()), static_cast<int>(name.size()));
}

void LockName(std::string_view name, LOCKMODE mode) {
    Guarded([&] { LockObject(Object::kTag, IdOfName(name), mode); });
}

// What stands before the first slash of a name, with the slash, as no name does: whether that is a remote
// stays as it is meanwhile.
void LockFirstPart(std::string_view name) {
    const size_t slash = name.find('/');
    if (slash != std::string_view::npos) {
        LockName(name.substr(0, slash + 1), ShareLock);
    }
}

}  // namespace

Oid LockExtension() {
    for (;;) {
        const Oid extension = get_extension_oid("kvs", true);
        if (!OidIsValid(extension)) {
            return InvalidOid;
        }
        LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
        if (get_extension_oid("kvs", true) == extension) {
            return extension;
        }
        UnlockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
    }
}

void LockUpkeep() {
    const LockTimeoutScope timeout(settings.gc_lock_timeout);
    Guarded([] { LockObject(Object::kChunk, 0, ExclusiveLock); });
}

bool TryLockUpkeep() {
    return Guarded([] { return TryLock(UpkeepTag(), ExclusiveLock, false); });
}

bool TryLockUpkeepForWorker() {
    return Guarded([] { return TryLock(UpkeepTag(), ExclusiveLock, true); });
}

// Registered before the server's own way out of a transaction, and so run after it.
void ReleaseWorkerLocksAtExit() {
    before_shmem_exit([](int, Datum) { LockReleaseAll(DEFAULT_LOCKMETHOD, true); }, Datum{0});
}

void UnlockUpkeepOfWorker() {
    Guarded([] {
        const LOCKTAG tag = UpkeepTag();
        LockRelease(&tag, ExclusiveLock, true);
    });
}

void LockChunksForBuild() {
    Guarded([] { LockRelationOid(ObjectOid(Object::kChunk), RowExclusiveLock); });
}

bool TryLockChunksForBuild() {
    return TryLockRelation(Guarded([] { return ObjectOid(Object::kChunk); }), RowExclusiveLock, 0);
}

void LockChunksForSweep() {
    const LockTimeoutScope timeout(settings.gc_lock_timeout);
    Guarded([] { LockRelationOid(ObjectOid(Object::kChunk), ShareRowExclusiveLock); });
}

bool TryLockChunksForSweep() {
    const int patience = settings.gc_lock_timeout > 0 ? settings.gc_lock_timeout : -1;
    return TryLockRelation(Guarded([] { return ObjectOid(Object::kChunk); }), ShareRowExclusiveLock,
                           patience);
}

void LockBranchDeletions() {
    Guarded([] { LockObject(Object::kBranch, 0, ExclusiveLock); });
}

void LockRefName(std::string_view name) {
    LockFirstPart(name);
    LockName(name, ExclusiveLock);
}

void LockRefNames(std::string_view a, std::string_view b) {
    LockFirstPart(a);
    LockFirstPart(b);
    // In one order for everybody, so that two who swap names do not wait for each other.
    const bool in_order = IdOfName(a) < IdOfName(b);
    LockName(in_order ? a : b, ExclusiveLock);
    LockName(in_order ? b : a, ExclusiveLock);
}

void LockRemoteName(std::string_view remote) {
    LockName(std::string(remote) + "/", ExclusiveLock);
}

void LockBranch(int32 branch, LOCKMODE mode) {
    Guarded([&] {
        if (IsForbidden(mode)) {
            ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("cannot flush, commit or move a branch from a hook"),
                    errhint("A hook may read, and write keys, which stay uncommitted work."));
        }
        LockObject(Object::kBranch, branch, mode);
    });
}

void LockBranchBounded(int32 branch, const char* name, LOCKMODE mode) {
    const LockTimeoutScope timeout(settings.branch_lock_timeout);
    Guarded([&] {
        ErrorContextCallback callback{error_context_stack, ExplainTimeout, const_cast<char*>(name)};
        error_context_stack = &callback;
        LockBranch(branch, mode);
        error_context_stack = callback.previous;
    });
}

bool TryLockBranch(int32 branch, LOCKMODE mode) {
    return !IsForbidden(mode) &&
           Guarded([&] { return TryLock(ObjectTag(Object::kBranch, branch), mode, false); });
}

WriterLocksOnly::WriterLocksOnly() {
    writer_only_scopes++;
}

WriterLocksOnly::~WriterLocksOnly() {
    writer_only_scopes--;
}

void LockSubscription(int32 subscription) {
    LockForConsumer([&] { LockObject(Object::kSubscription, subscription, RowShareLock); });
}

void LockSubscriptionForDrop(int32 subscription) {
    LockForConsumer([&] { LockObject(Object::kSubscription, subscription, AccessExclusiveLock); });
}

void LockMember(int32 subscription, std::string_view member) {
    LockForConsumer([&] {
        const LOCKTAG tag = MemberTag(subscription, member);
        LockAcquire(&tag, ExclusiveLock, false, false);
    });
}

bool TryLockMember(int32 subscription, std::string_view member) {
    return Guarded([&] { return TryLock(MemberTag(subscription, member), ExclusiveLock, false); });
}

void UnlockMember(int32 subscription, std::string_view member) {
    Guarded([&] {
        const LOCKTAG tag = MemberTag(subscription, member);
        LockRelease(&tag, ExclusiveLock, false);
    });
}

void BeginTurn(int32 subscription) {
    Guarded([&] {
        const LOCKTAG tag = TurnTag(subscription);
        LockAcquire(&tag, ExclusiveLock, false, false);
    });
}

void EndTurn(int32 subscription) {
    Guarded([&] {
        const LOCKTAG tag = TurnTag(subscription);
        LockRelease(&tag, ExclusiveLock, false);
    });
}

void LockNamespace(int32 branch, std::string_view path, bool exclusively) {
    ServerHasher hasher;
    const Hash hash = hasher.Sha256("kvs namespace lock " + std::to_string(branch) + " " + std::string(path));
    uint32 words[2];
    memcpy(words, hash.bytes.data(), sizeof(words));
    Guarded([&] {
        LOCKTAG tag;
        SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, words[0], words[1], kNamespaceLock);
        LockAcquire(&tag, exclusively ? AccessExclusiveLock : RowExclusiveLock, false, false);
    });
}

bool TryLockRelation(Oid relation, LOCKMODE mode, int patience) {
    return Guarded([&] {
        const TimestampTz begin = GetCurrentTimestamp();
        while (!ConditionalLockRelationOid(relation, mode)) {
            if (patience >= 0 && TimestampDifferenceExceeds(begin, GetCurrentTimestamp(), patience)) {
                return false;
            }
            WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kRetryInterval,
                      PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        }
        return true;
    });
}

bool TryLockBinding(int32 binding) {
    return Guarded([&] { return TryLock(ObjectTag(Object::kBinding, binding), RowShareLock, false); });
}

void LockBindingForChange(int32 binding, const char* name) {
    const LockTimeoutScope timeout(settings.branch_lock_timeout);
    Guarded([&] {
        ErrorContextCallback callback{error_context_stack, ExplainBindingTimeout, const_cast<char*>(name)};
        error_context_stack = &callback;
        LockObject(Object::kBinding, binding, AccessExclusiveLock);
        error_context_stack = callback.previous;
    });
}

}  // namespace kvs::pg
