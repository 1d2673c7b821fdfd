// ANALYZE of foreign tables: a uniform sample of the entries.
//
// Two strata are sampled: the entries of the tree, by rank, each found in one descent; and the working rows
// with keys that the tree does not have, in one pass over them. Memory holds the sample, never the table.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "fdw/callbacks.h"
#include "fdw/columns.h"
#include "fdw/options.h"
#include "kvs/tree/cursor.h"
#include "kvs/tree/tree.h"
#include "pg/table/access_guard.h"
#include "pg/table/working_batches.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"

extern "C" {
#include "common/pg_prng.h"
}

namespace kvs::fdw {

namespace {

using namespace kvs::pg;

// A sampled row must not cost much memory: larger values are left out, as null. The statistics would not look
// at them anyway.
constexpr size_t kLargestSampledValue = 8192;

constexpr double kEntriesPerPage = 40;

using Random = std::mt19937_64;

uint64_t Draw(Random& random, uint64_t largest) {
    return std::uniform_int_distribution<uint64_t>(0, largest)(random);
}

// `count` different numbers below `total`, ascending (Floyd's algorithm).
std::vector<uint64_t> DrawRanks(uint64_t total, uint64_t count, Random& random) {
    std::unordered_set<uint64_t> drawn;
    for (uint64_t largest = total - count; largest < total; ++largest) {
        if (!drawn.insert(Draw(random, largest)).second) {
            drawn.insert(largest);
        }
    }
    std::vector<uint64_t> ranks(drawn.begin(), drawn.end());
    std::sort(ranks.begin(), ranks.end());
    return ranks;
}

// Keys of working rows that the tree does not have.
struct NewKeys {
    uint64_t total = 0;
    std::vector<std::string> sample;  // in random order
};

NewKeys SampleNewKeys(const ReadView& view, const KeyRange& range, const Tree& tree, size_t wanted,
                      Random& random) {
    NewKeys keys;
    WorkingBatches rows(view.snapshot, view.overlay, range, kWorkingItem);
    while (rows.Peek() != nullptr) {
        WorkingBatches::Row row = rows.Take();
        if (row.deleted || tree.Get(row.key)) {
            continue;
        }
        if (keys.sample.size() < wanted) {
            keys.sample.push_back(std::move(row.key));
        } else if (const uint64_t place = Draw(random, keys.total); place < wanted) {
            keys.sample[place] = std::move(row.key);
        }
        keys.total++;
    }
    std::shuffle(keys.sample.begin(), keys.sample.end(), random);
    return keys;
}

struct Sample {
    std::vector<std::string> keys;  // ascending
    uint64_t total;                 // keys from which they were drawn
};

Sample SampleKeys(const ReadView& view, const KeyRange& range, ChunkStore& chunks, uint64_t wanted) {
    Random random(pg_prng_uint64(&pg_global_prng_state));
    const Tree tree(chunks, view.roots.data_root);
    const uint64_t in_tree = tree.Count(range);
    NewKeys new_keys = SampleNewKeys(view, range, tree, wanted, random);
    Sample sample;
    sample.total = in_tree + new_keys.total;
    uint64_t from_tree = in_tree;
    if (sample.total > wanted) {
        const double share = static_cast<double>(in_tree) / static_cast<double>(sample.total);
        from_tree = static_cast<uint64_t>(std::llround(static_cast<double>(wanted) * share));
        new_keys.sample.resize(std::min<uint64_t>(new_keys.sample.size(), wanted - from_tree));
    }
    sample.keys = std::move(new_keys.sample);
    const uint64_t first = tree.Rank(range.start);
    Cursor cursor(chunks, view.roots.data_root);
    for (const uint64_t rank : DrawRanks(in_tree, from_tree, random)) {
        cursor.SeekNth(first + rank);
        sample.keys.emplace_back(cursor.key());
    }
    std::sort(sample.keys.begin(), sample.keys.end());
    return sample;
}

// The entry at `key` as a row of the table in the current memory context; null if it is no longer alive.
HeapTuple FormSampleRow(const std::string& key, EntryReader& reader, const TableColumns& columns,
                        uint32 wanted, TupleDesc row_type) {
    const Datum key_datum = Guarded([&] { return MakeVarlena(key); });
    const std::optional<FoundEntry> found = reader.Find(key_datum, (wanted & kEntryMetaColumns) != 0);
    if (!found) {
        return nullptr;
    }
    const DataItem& item = found->item;
    std::string_view payload;
    if (item.PayloadSize() > kLargestSampledValue) {
        wanted &= ~(EntryBit(kEntryValue) | EntryBit(kEntryBytes));
    } else {
        payload = reader.LoadPayload(item);
    }
    const EntryRow entry = MakeEntryRow(key, item, payload, found->meta.bytes, wanted);
    return Guarded([&] {
        auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (columns.count + 1)));
        auto* nulls = static_cast<bool*>(palloc(columns.count + 1));
        ArrangeColumns(columns.columns, columns.count, entry, values, nulls);
        return heap_form_tuple(row_type, values, nulls);
    });
}

int AcquireSample(Relation table, HeapTuple* rows, int wanted_rows, double* total_rows) {
    RequireRead();
    const TableOptions options = ReadTableOptions(RelationGetRelid(table));
    const TableColumns columns = MatchColumns(table);
    MemoryContext caller = CurrentMemoryContext;
    MemoryContext scratch = AllocSetContextCreate(caller, "kvs analyze", ALLOCSET_DEFAULT_SIZES);
    const ReadView view = OpenTableView(options, GetActiveSnapshot());
    EntryReader reader(view);
    const Sample sample = SampleKeys(view, KeyRange::Prefix(options.Prefix()), reader.chunks(), wanted_rows);
    int count = 0;
    for (const std::string& key : sample.keys) {
        MemoryContextSwitchTo(scratch);
        HeapTuple row = FormSampleRow(key, reader, columns, kAllEntryColumns, RelationGetDescr(table));
        MemoryContextSwitchTo(caller);
        if (row != nullptr) {
            rows[count++] = Guarded([&] { return heap_copytuple(row); });
        }
        Guarded([&] { MemoryContextReset(scratch); });
    }
    const double alive =
        sample.keys.empty() ? 1 : static_cast<double>(count) / static_cast<double>(sample.keys.size());
    *total_rows = static_cast<double>(sample.total) * alive;
    Guarded([&] { MemoryContextDelete(scratch); });
    return count;
}

int AcquireSampleRows(Relation table, int, HeapTuple* rows, int wanted_rows, double* total_rows,
                      double* dead_rows) {
    *dead_rows = 0;
    return Enter([&] { return AcquireSample(table, rows, wanted_rows, total_rows); });
}

BlockNumber EstimatePages(const TableOptions& options) {
    const ReadView view = OpenTableView(options, GetActiveSnapshot());
    ChunkStore chunks(view.snapshot);
    const uint64_t entries = Tree(chunks, view.roots.data_root).Count(KeyRange::Prefix(options.Prefix()));
    return static_cast<BlockNumber>(static_cast<double>(entries) / kEntriesPerPage) + 1;
}

}  // namespace

bool AnalyzeForeignTable(Relation table, AcquireSampleRowsFunc* function, BlockNumber* pages) {
    return Enter([&] {
        // The sample is taken in the name of the table's owner. Where that role may not read the store the
        // server skips the table with a warning, so that it does not end an ANALYZE of the whole database.
        if (!MayRead(table->rd_rel->relowner)) {
            return false;
        }
        *function = AcquireSampleRows;
        *pages = EstimatePages(ReadTableOptions(RelationGetRelid(table)));
        return true;
    });
}

}  // namespace kvs::fdw
