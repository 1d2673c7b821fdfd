// Where the extension's own tables, indexes and sequences are in this database. Object identifiers are cached
// per backend and forgotten when the server announces that one of the relations changed or went away.
//
// Server code: call under Guarded, or in the first or last phase of an entry point.
#pragma once

#include "pg/wall/server.h"

namespace kvs::pg {

enum class Object : int {
    kEntries,  // the foreign table kvs.entries, which carries the privileges
    kStore,
    kStorePkey,
    kStoreEpoch,
    kChunk,
    kChunkPkey,
    kPack,
    kPackPkey,
    kPackNext,
    kPackAddresses,
    kDictionary,
    kDictionaryPkey,
    kCommit,
    kCommitPkey,
    kBranch,
    kBranchPkey,
    kBranchName,
    kTag,
    kTagPkey,
    kReflog,
    kReflogPkey,
    kReflogBranch,
    kRemoteRef,
    kRemoteRefPkey,
    kWorking,
    kWorkingPkey,
    kChange,
    kChangePkey,
    kChangeXid,
    kChangeMember,
    kChangeMemberPkey,
    kHook,
    kHookPkey,
    kChangeRange,
    kBranchIdSequence,
    kReflogIdSequence,
    kChangeSequence,
    kDictionaryIdSequence,
    kPackIdSequence,
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
