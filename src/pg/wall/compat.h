/* The only place that knows one server version from another (15 to 18). Included by server.h. */
#pragma once

#if PG_VERSION_NUM < 150000
#error "kvs needs PostgreSQL 15 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 18 took these out of commands/explain.h. */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/* --- tables and indexes --------------------------------------------------------------------------------- */

#if PG_VERSION_NUM >= 180000
#define KVS_INDEX_BEGINSCAN(heap, index, snapshot, nkeys) \
    index_beginscan(heap, index, snapshot, nullptr, nkeys, 0)
#else
#define KVS_INDEX_BEGINSCAN(heap, index, snapshot, nkeys) index_beginscan(heap, index, snapshot, nkeys, 0)
#endif

/* Scans of an index that only answers with a bitmap, and the pages of one: KvsNextBitmapPage is false after
 * the last; count is -1 for a page of which any row may be meant, otherwise the number of offsets. */
#if PG_VERSION_NUM >= 180000
#define KVS_INDEX_BEGINSCAN_BITMAP(index, snapshot, nkeys) \
    index_beginscan_bitmap(index, snapshot, nullptr, nkeys)
typedef TBMPrivateIterator KvsBitmapIterator;
#define KVS_BITMAP_BEGIN(bitmap) tbm_begin_private_iterate(bitmap)
#define KVS_BITMAP_END(iterator) tbm_end_private_iterate(iterator)
static inline bool KvsNextBitmapPage(KvsBitmapIterator* iterator, BlockNumber* block, OffsetNumber* offsets,
                                     int* count) {
    TBMIterateResult page;

    if (!tbm_private_iterate(iterator, &page))
        return false;
    *block = page.blockno;
    *count = page.lossy ? -1 : tbm_extract_page_tuple(&page, offsets, TBM_MAX_TUPLES_PER_PAGE);
    return true;
}
#else
#define KVS_INDEX_BEGINSCAN_BITMAP(index, snapshot, nkeys) index_beginscan_bitmap(index, snapshot, nkeys)
typedef TBMIterator KvsBitmapIterator;
#define KVS_BITMAP_BEGIN(bitmap) tbm_begin_iterate(bitmap)
#define KVS_BITMAP_END(iterator) tbm_end_iterate(iterator)
static inline bool KvsNextBitmapPage(KvsBitmapIterator* iterator, BlockNumber* block, OffsetNumber* offsets,
                                     int* count) {
    TBMIterateResult* page = tbm_iterate(iterator);

    if (page == nullptr)
        return false;
    *block = page->blockno;
    *count = page->ntuples;
    for (int i = 0; i < page->ntuples; i++)
        offsets[i] = page->offsets[i];
    return true;
}
#endif

/* What an update says of the indexes. A summarizing index (BRIN) alone does not need the row in a B-tree. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes KvsUpdateIndexes;
#define KVS_NEEDS_INDEX_INSERT(update) ((update) == TU_All)
#else
typedef bool KvsUpdateIndexes;
#define KVS_NEEDS_INDEX_INSERT(update) (update)
#endif

#if PG_VERSION_NUM >= 160000
#define KVS_PROC_ACLCHECK(function, role, mode) object_aclcheck(ProcedureRelationId, function, role, mode)
#define KVS_SERVER_ACLCHECK(server, role) object_aclcheck(ForeignServerRelationId, server, role, ACL_USAGE)
#else
#define KVS_PROC_ACLCHECK(function, role, mode) pg_proc_aclcheck(function, role, mode)
#define KVS_SERVER_ACLCHECK(server, role) pg_foreign_server_aclcheck(server, role, ACL_USAGE)
#endif

#if PG_VERSION_NUM >= 160000
#define KVS_IS_DATABASE_OWNER(database, role) object_ownercheck(DatabaseRelationId, database, role)
#define KVS_IS_TABLE_OWNER(table, role) object_ownercheck(RelationRelationId, table, role)
#else
#define KVS_IS_DATABASE_OWNER(database, role) pg_database_ownercheck(database, role)
#define KVS_IS_TABLE_OWNER(table, role) pg_class_ownercheck(table, role)
#endif

/* bytea's "<" operator, whose name the server has in no header of these versions */
#define KVS_BYTEA_LESS_OPERATOR 1957

/* --- processes ------------------------------------------------------------------------------------------ */

#if PG_VERSION_NUM >= 180000
#define KVS_IS_BACKGROUND_WORKER(proc) (!(proc)->isRegularBackend)
#else
#define KVS_IS_BACKGROUND_WORKER(proc) ((proc)->isBackgroundWorker)
#endif

/* The process of a virtual transaction; null if it is gone. */
#if PG_VERSION_NUM >= 170000
#define KVS_PROC_OF(vxid) ProcNumberGetProc((vxid).procNumber)
#else
#define KVS_PROC_OF(vxid) BackendIdGetProc((vxid).backendId)
#endif

/* --- the executor --------------------------------------------------------------------------------------- */

/* The role in whose name a scan of a base relation reads; invalid for the current one. */
#if PG_VERSION_NUM >= 160000
#define KVS_CHECK_AS_USER(scan_state, plan) ((plan)->checkAsUser)
#else
#define KVS_CHECK_AS_USER(scan_state, plan) \
    (exec_rt_fetch((plan)->scan.scanrelid, (scan_state)->ss.ps.state)->checkAsUser)
#endif

/* --- the planner: for files that include pg/wall/planner.h
 * --------------------------------------------------- */

#if PG_VERSION_NUM >= 180000
#define KVS_CREATE_FOREIGNSCAN_PATH(root, rel, rows, startup, total, pathkeys, outer) \
    create_foreignscan_path(root, rel, nullptr, rows, 0, startup, total, pathkeys, outer, nullptr, NIL, NIL)
#define KVS_CREATE_FOREIGN_UPPER_PATH(root, rel, target, rows, startup, total, pathkeys, fdw_private) \
    create_foreign_upper_path(root, rel, target, rows, 0, startup, total, pathkeys, nullptr, NIL, fdw_private)
#elif PG_VERSION_NUM >= 170000
#define KVS_CREATE_FOREIGNSCAN_PATH(root, rel, rows, startup, total, pathkeys, outer) \
    create_foreignscan_path(root, rel, nullptr, rows, startup, total, pathkeys, outer, nullptr, NIL, NIL)
#define KVS_CREATE_FOREIGN_UPPER_PATH(root, rel, target, rows, startup, total, pathkeys, fdw_private) \
    create_foreign_upper_path(root, rel, target, rows, startup, total, pathkeys, nullptr, NIL, fdw_private)
#else
#define KVS_CREATE_FOREIGNSCAN_PATH(root, rel, rows, startup, total, pathkeys, outer) \
    create_foreignscan_path(root, rel, nullptr, rows, startup, total, pathkeys, outer, nullptr, NIL)
#define KVS_CREATE_FOREIGN_UPPER_PATH(root, rel, target, rows, startup, total, pathkeys, fdw_private) \
    create_foreign_upper_path(root, rel, target, rows, startup, total, pathkeys, nullptr, fdw_private)
#endif

/* 15 declares the mutator without its parameters, which in C++ says that it has none. */
#if PG_VERSION_NUM >= 160000
#define KVS_EXPRESSION_TREE_MUTATOR(node, mutator, context) expression_tree_mutator(node, mutator, context)
#else
#define KVS_EXPRESSION_TREE_MUTATOR(node, mutator, context)                                             \
    expression_tree_mutator(node, reinterpret_cast<Node* (*)()>(reinterpret_cast<void (*)()>(mutator)), \
                            context)
#endif

/* The pathkeys of an ascending order by `expression` if the query knows such an order, else NIL. */
#if PG_VERSION_NUM >= 160000
#define KVS_BUILD_EXPRESSION_PATHKEY(root, expression, less_operator, relids) \
    build_expression_pathkey(root, expression, less_operator, relids, false)
#else
#define KVS_BUILD_EXPRESSION_PATHKEY(root, expression, less_operator, relids) \
    build_expression_pathkey(root, expression, nullptr, less_operator, relids, false)
#endif

#if PG_VERSION_NUM >= 180000
#define KVS_IS_DESCENDING(pathkey) ((pathkey)->pk_cmptype == COMPARE_GT)
#else
#define KVS_IS_DESCENDING(pathkey) ((pathkey)->pk_strategy == BTGreaterStrategyNumber)
#endif

/* Whether the collation orders by bytes. */
#if PG_VERSION_NUM >= 180000
#define KVS_COLLATION_IS_C(collation) (pg_newlocale_from_collation(collation)->collate_is_c)
#else
#define KVS_COLLATION_IS_C(collation) lc_collate_is_c(collation)
#endif
