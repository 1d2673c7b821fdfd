// How many entries a scan returns, and what it costs.
//
// The entries under a range of keys are counted exactly from the counts in the tree's nodes, at the price of
// two descents; what the working rows add is estimated. Costs are in the server's units, calibrated so that a
// full scan and a look-up relate to those of a plain table as their measured times do.
#include <algorithm>

#include "fdw/plan.h"
#include "kvs/tree/tree.h"
#include "pg/chunk/chunk_store.h"
#include "pg/table/access_guard.h"
#include "pg/table/working_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::fdw {

namespace {

using namespace kvs::pg;

constexpr double kUnknownEntries = 1000;  // if the role may not know better
constexpr int kProbedRows = 100;          // working rows that are counted one by one
constexpr double kEntriesPerLeaf = 20;
constexpr double kMetadataPerLeaf = 40;
constexpr double kLeafCost = 1.0;          // in seq_page_cost: fetch, decompress, verify
constexpr double kLookupCost = 0.4;        // in random_page_cost: a descent whose upper nodes are cached
constexpr double kDescentOperations = 50;  // in cpu_operator_cost
constexpr double kMetadataOperations = 4;  // per entry, in cpu_operator_cost

// A condition whose operand is known to the planner.
struct KnownTest {
    KeyTest test;
    Datum value;
    bool is_null;
};

struct Counts {
    double entries;
    double scanned;
    bool by_key;
};

// How many working rows lie over the range; `share` of the branch's keys lie in it.
double EstimateWorkingRows(const ReadView& view, const KeyRange& range, double share) {
    return Guarded([&] {
        WorkingRange bounds;
        bounds.start = MakeVarlena(range.start);
        if (range.end) {
            bounds.end = MakeVarlena(*range.end);
        }
        Table working = OpenWorkingForRead();
        // Not under the statement's snapshot: a look at rows that the query will not read must leave no trace
        // that a serializable transaction could fail for.
        double rows = 0;
        for (const int64 epoch : view.overlay) {
            IndexScanDesc scan = BeginWorkingScan(&working, SnapshotSelf, epoch, bounds);
            WorkingRow row;
            struct varlena* key;
            while (rows < kProbedRows && NextWorking(&working, scan, ForwardScanDirection, 0, &row, &key)) {
                rows++;
            }
            index_endscan(scan);
        }
        if (rows == kProbedRows) {
            BlockNumber pages;
            double tuples;
            double visible_share;
            estimate_rel_size(working.heap, nullptr, &pages, &tuples, &visible_share);
            rows = std::max(rows, tuples * share);
        }
        Close(&working);
        return rows;
    });
}

Counts CountEntries(const TableOptions& options, const KnownTest* tests, int test_count) {
    const KeySet all(options.Prefix());
    KeySet some(options.Prefix());
    for (int i = 0; i < test_count; i++) {
        ApplyKeyTest(tests[i].test, tests[i].value, tests[i].is_null, &some);
    }
    const ReadView view = OpenTableView(options, GetActiveSnapshot());
    ChunkStore chunks(view.snapshot);
    const Tree tree(chunks, view.roots.data_root);
    const bool is_part = !options.Prefix().empty();
    Counts counts = {};
    const double in_tree = static_cast<double>(is_part ? tree.Count(all.range()) : tree.Count());
    counts.entries = in_tree + (view.IsLive() ? EstimateWorkingRows(view, all.range(), 1) : 0);
    counts.by_key = some.keys().has_value();
    if (some.empty()) {
        counts.scanned = 0;
    } else if (counts.by_key) {
        counts.scanned = std::min(static_cast<double>(some.keys()->size()), counts.entries);
    } else if (test_count == 0) {
        counts.scanned = counts.entries;
    } else {
        counts.scanned = static_cast<double>(tree.Count(some.range()));
        if (view.IsLive()) {
            counts.scanned +=
                EstimateWorkingRows(view, some.range(), in_tree > 0 ? counts.scanned / in_tree : 1);
        }
    }
    return counts;
}

}  // namespace

void EstimateTable(PlannerInfo* root, RelOptInfo* rel, TablePlan* table) {
    const int clauses = list_length(rel->baserestrictinfo);
    auto* known = static_cast<KnownTest*>(palloc(sizeof(KnownTest) * (clauses + 1)));
    int known_count = 0;
    List* unknown = NIL;  // conditions on the key whose operand is not known yet
    List* checked = NIL;  // what is checked for each entry that they leave
    ListCell* cell;
    foreach (cell, rel->baserestrictinfo) {
        auto* clause = static_cast<RestrictInfo*>(lfirst(cell));
        KeyCondition condition;
        if (!MatchKeyCondition(root, rel, table->columns, clause, &condition)) {
            checked = lappend(checked, clause);
            continue;
        }
        if (!condition.exact) {
            checked = lappend(checked, clause);
        }
        auto* operand = estimate_expression_value(root, reinterpret_cast<Node*>(condition.operand));
        if (IsA(operand, Const)) {
            auto* constant = reinterpret_cast<Const*>(operand);
            known[known_count++] = {condition.test, constant->constvalue, constant->constisnull};
        } else if (condition.exact) {
            unknown = lappend(unknown, clause);
        }
        if (condition.test == KeyTest::kEqual || condition.test == KeyTest::kAnyOf) {
            table->by_key = true;
        }
    }
    table->covered = checked == NIL;

    Counts counts = {kUnknownEntries, kUnknownEntries, false};
    if (ActiveSnapshotSet() && MayRead(OidIsValid(rel->userid) ? rel->userid : GetUserId())) {
        counts = CountEntries(table->options, known, known_count);
    }
    table->by_key |= counts.by_key;
    table->entries = counts.entries;
    rel->tuples = std::max(counts.entries, 1.0);
    set_baserel_size_estimates(root, rel);
    table->scanned =
        clamp_row_est(counts.scanned * clauselist_selectivity(root, unknown, 0, JOIN_INNER, nullptr));
    rel->rows = clamp_row_est(table->scanned * clauselist_selectivity(root, checked, 0, JOIN_INNER, nullptr));
    cost_qual_eval(&table->recheck, checked, root);
}

ScanCost CostScan(const TablePlan& table, const PathTarget* target, bool by_key, double scanned,
                  const QualCost& recheck, double rows) {
    const bool with_meta = (table.wanted & kEntryMetaColumns) != 0;
    const Cost lookup = random_page_cost * kLookupCost + kDescentOperations * cpu_operator_cost;
    Cost places = (with_meta ? 2 : 1) * lookup;
    Cost run = (cpu_tuple_cost + recheck.per_tuple) * scanned + target->cost.per_tuple * rows;
    if (by_key) {
        places *= std::max(scanned, 1.0);
    } else {
        run += scanned / kEntriesPerLeaf * kLeafCost * seq_page_cost;
        if (with_meta) {
            run += scanned / kMetadataPerLeaf * kLeafCost * seq_page_cost;
        }
    }
    if (with_meta) {
        run += scanned * kMetadataOperations * cpu_operator_cost;
    }
    const Cost startup = recheck.startup + target->cost.startup;
    return {startup, startup + places + run};
}

void DeclareKeyUnique(RelOptInfo* rel, const TableColumns& columns) {
    if (columns.key == 0) {
        return;
    }
    // Hypothetical indexes are for estimates and proofs of uniqueness; nothing tries to read them.
    const auto array_of = [](auto value) {
        auto* array = static_cast<decltype(value)*>(palloc(sizeof(value)));
        array[0] = value;
        return array;
    };
    IndexOptInfo* index = makeNode(IndexOptInfo);
    index->rel = rel;
    index->hypothetical = true;
    index->unique = true;
    index->immediate = true;
    index->relam = BTREE_AM_OID;
    index->tuples = rel->tuples;
    index->pages = 1;
    index->tree_height = -1;
    index->ncolumns = 1;
    index->nkeycolumns = 1;
    index->indexkeys = array_of(static_cast<int>(columns.key));
    index->indexcollations = array_of(columns.key_collation);
    index->opfamily = array_of(static_cast<Oid>(TEXT_BTREE_FAM_OID));
    index->opcintype = array_of(static_cast<Oid>(TEXTOID));
    index->sortopfamily = index->opfamily;
    index->reverse_sort = array_of(false);
    index->nulls_first = array_of(false);
    index->canreturn = array_of(true);
    rel->indexlist = lappend(rel->indexlist, index);
}

}  // namespace kvs::fdw
