/* The only place that knows one server version from another (15 to 18). Included by server.h. */
#pragma once

#if PG_VERSION_NUM < 150000
#error "kvs needs PostgreSQL 15 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM >= 180000
#define KVS_INDEX_BEGINSCAN(heap, index, snapshot, nkeys) \
    index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#else
#define KVS_INDEX_BEGINSCAN(heap, index, snapshot, nkeys) index_beginscan(heap, index, snapshot, nkeys, 0)
#endif

#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes KvsUpdateIndexes;
#define KVS_NEEDS_INDEX_INSERT(update) ((update) != TU_None)
#else
typedef bool KvsUpdateIndexes;
#define KVS_NEEDS_INDEX_INSERT(update) (update)
#endif

#if PG_VERSION_NUM >= 160000
#define KVS_SERVER_ACLCHECK(server, role) object_aclcheck(ForeignServerRelationId, server, role, ACL_USAGE)
#else
#define KVS_SERVER_ACLCHECK(server, role) pg_foreign_server_aclcheck(server, role, ACL_USAGE)
#endif

/* bytea's "<" operator, whose name the server has in no header of these versions */
#define KVS_BYTEA_LESS_OPERATOR 1957
