// Where the extension's own tables, indexes and sequences are in this database. Object identifiers are cached
// per backend and forgotten when the server announces that one of the relations changed or went away.
//
// Server code: call under Guarded, or in the first or last phase of an entry point.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

// The objects and their names: X(object, name). kvs.entries is the foreign table that carries the privileges;
// all others lie in schema _kvs.
#define KVS_OBJECTS(X)                                     \
    X(kEntries, "entries")                                 \
    X(kStore, "store")                                     \
    X(kStorePkey, "store_pkey")                            \
    X(kStoreEpoch, "store_epoch_key")                      \
    X(kChunk, "chunk")                                     \
    X(kChunkPkey, "chunk_pkey")                            \
    X(kPack, "pack")                                       \
    X(kPackPkey, "pack_pkey")                              \
    X(kPackNext, "pack_next")                              \
    X(kPackAddresses, "pack_addresses")                    \
    X(kDictionary, "dictionary")                           \
    X(kDictionaryPkey, "dictionary_pkey")                  \
    X(kCommit, "commit")                                   \
    X(kCommitPkey, "commit_pkey")                          \
    X(kBranch, "branch")                                   \
    X(kBranchPkey, "branch_pkey")                          \
    X(kBranchName, "branch_name_epoch_key")                \
    X(kTag, "tag")                                         \
    X(kTagPkey, "tag_pkey")                                \
    X(kReflog, "reflog")                                   \
    X(kReflogPkey, "reflog_pkey")                          \
    X(kReflogBranch, "reflog_branch_id")                   \
    X(kRemoteRef, "remote_ref")                            \
    X(kRemoteRefPkey, "remote_ref_pkey")                   \
    X(kWorking, "working")                                 \
    X(kWorkingPkey, "working_pkey")                        \
    X(kChangePkey, "change_pkey")                          \
    X(kChangeMember, "change_member")                      \
    X(kChangeMemberPkey, "change_member_pkey")             \
    X(kHook, "hook")                                       \
    X(kHookPkey, "hook_pkey")                              \
    X(kChangeRange, "change_range")                        \
    X(kBranchIdSequence, "branch_id")                      \
    X(kReflogIdSequence, "reflog_id")                      \
    X(kChangeSequence, "change_seq")                       \
    X(kDictionaryIdSequence, "dictionary_id")              \
    X(kPackIdSequence, "pack_id")                          \
    X(kTick, "tick")                                       \
    X(kTickPkey, "tick_pkey")                              \
    X(kListener, "listener")                               \
    X(kListenerPkey, "listener_pkey")                      \
    X(kWorker, "worker")                                   \
    X(kWorkerPkey, "worker_pkey")                          \
    X(kSubscription, "subscription")                       \
    X(kSubscriptionPkey, "subscription_pkey")              \
    X(kSubscriptionName, "subscription_name_key")          \
    X(kSubscriptionIdSequence, "subscription_id")          \
    X(kSubscriptionMember, "subscription_member")          \
    X(kSubscriptionMemberPkey, "subscription_member_pkey") \
    X(kSubscriptionEvent, "subscription_event")            \
    X(kSubscriptionEventPkey, "subscription_event_pkey")   \
    X(kSubscriptionEventKey, "subscription_event_key")     \
    X(kBinding, "binding")                                 \
    X(kBindingPkey, "binding_pkey")                        \
    X(kBindingMark, "binding_mark")                        \
    X(kBindingMarkXid, "binding_mark_xid")

enum class Object : int {
#define KVS_OBJECT(object, name) object,
    KVS_OBJECTS(KVS_OBJECT)
#undef KVS_OBJECT
        kCount,
};

// Errors: 42704 with a hint when the extension is not installed in this database.
Oid ObjectOid(Object object);

// The same without a look-up: InvalidOid unless it is cached. For invalidation callbacks, which must not read
// catalogs.
Oid ObjectOidIfKnown(Object object);

// What index_insert needs to know of `index`, built once per backend. `relation` is the open index.
IndexInfo* CachedIndexInfo(Object index, Relation relation);

// The owner of the extension's tables.
Oid OwnerId();

}  // namespace kvs::pg
