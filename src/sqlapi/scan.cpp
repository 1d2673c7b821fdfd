// Ordered reads of many keys: scan, find, keys, mget, count_keys.
#include <optional>
#include <string>

#include "kvs/codec/key.h"
#include "kvs/pattern/pattern.h"
#include "pg/read/entry_row.h"
#include "pg/read/entry_scan.h"
#include "pg/read/pattern_scan.h"
#include "pg/table/access_guard.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

struct ScanArguments {
    std::string_view prefix;
    std::optional<std::string_view> start;
    std::optional<std::string_view> end;
    std::optional<int64> max_rows;
    bool reverse;
    std::optional<std::string_view> branch;
    std::optional<std::string_view> as_of;
};

// The keys that begin with `prefix` and lie in [start, end).
KeyRange ScanRange(const ScanArguments& arguments) {
    KeyRange range = KeyRange::Prefix(arguments.prefix);
    if (arguments.start && *arguments.start > range.start) {
        range.start = *arguments.start;
    }
    if (arguments.end && (!range.end || *arguments.end < *range.end)) {
        range.end = std::string(*arguments.end);
    }
    return range;
}

// The row of the scan's current entry.
Datum CurrentRow(EntryScan* scan, TupleDesc row_type) {
    EntryRow row = MakeEntryRow(scan->key(), scan->item(), scan->LoadPayload(), scan->meta());
    return Guarded([&] { return row.Form(row_type); });
}

// kvs.scan
class RangeRows {
  public:
    explicit RangeRows(FunctionCallInfo fcinfo) {
        const ScanArguments arguments = Guarded([&] {
            row_type_ = ResultRowType(fcinfo);
            RequireRead();
            return ScanArguments{BytesOrEmpty(fcinfo, 0), OptionalBytes(fcinfo, 1), OptionalBytes(fcinfo, 2),
                                 Limit(fcinfo, 3),        BoolOr(fcinfo, 4, false), OptionalBytes(fcinfo, 5),
                                 OptionalBytes(fcinfo, 6)};
        });
        remaining_ = arguments.max_rows;
        scan_.emplace(OpenReadView(arguments.branch, arguments.as_of),
                      EntryScan::Options{ScanRange(arguments), arguments.reverse, true});
    }

    bool Next(Datum* row) {
        scan_->set_snapshot(GetActiveSnapshot());
        if ((remaining_ && (*remaining_)-- <= 0) || !scan_->Next()) {
            return false;
        }
        *row = CurrentRow(&*scan_, row_type_);
        return true;
    }

  private:
    TupleDesc row_type_;
    std::optional<int64> remaining_;
    std::optional<EntryScan> scan_;
};

// (pattern, branch, as_of) of keys and find.
class PatternRows {
  public:
    PatternRows(FunctionCallInfo fcinfo, bool with_entries) {
        struct Arguments {
            std::string_view pattern;
            std::optional<std::string_view> branch;
            std::optional<std::string_view> as_of;
        };
        const Arguments arguments = Guarded([&] {
            RequireRead();
            return Arguments{RequiredBytes(fcinfo, 0, "pattern"), OptionalBytes(fcinfo, 1),
                             OptionalBytes(fcinfo, 2)};
        });
        scan_.emplace(OpenReadView(arguments.branch, arguments.as_of),
                      Pattern::Parse(arguments.pattern).OrThrow(), with_entries);
    }

  protected:
    // The scan on its next match; null after the last.
    EntryScan* NextMatch() {
        scan_->set_snapshot(GetActiveSnapshot());
        return scan_->Next() ? &scan_->entry() : nullptr;
    }

  private:
    std::optional<PatternScan> scan_;
};

// kvs.find
class MatchingEntries : PatternRows {
  public:
    explicit MatchingEntries(FunctionCallInfo fcinfo) : PatternRows(fcinfo, true) {
        row_type_ = Guarded([&] { return ResultRowType(fcinfo); });
    }

    bool Next(Datum* row) {
        EntryScan* entry = NextMatch();
        if (entry == nullptr) {
            return false;
        }
        *row = CurrentRow(entry, row_type_);
        return true;
    }

  private:
    TupleDesc row_type_;
};

// kvs.keys
class MatchingKeys : PatternRows {
  public:
    explicit MatchingKeys(FunctionCallInfo fcinfo) : PatternRows(fcinfo, false) {}

    bool Next(Datum* row) {
        EntryScan* entry = NextMatch();
        if (entry == nullptr) {
            return false;
        }
        *row = Guarded([&] { return MakeVarlena(entry->key()); });
        return true;
    }
};

// kvs.mget: a row per asked key, in their order.
class AskedEntries {
  public:
    explicit AskedEntries(FunctionCallInfo fcinfo) {
        struct Arguments {
            DatumArray keys;
            std::optional<std::string_view> branch;
            std::optional<std::string_view> as_of;
        };
        const Arguments arguments = Guarded([&] {
            row_type_ = ResultRowType(fcinfo);
            RequireRead();
            return Arguments{RequiredArray(fcinfo, 0, "keys"), OptionalBytes(fcinfo, 1),
                             OptionalBytes(fcinfo, 2)};
        });
        keys_ = arguments.keys;
        for (int i = 0; i < keys_.count; i++) {
            keys_.elements[i] =
                Guarded([&] { return PointerGetDatum(PG_DETOAST_DATUM_PACKED(keys_.elements[i])); });
            ThrowUnlessKey(Contents(DatumGetPointer(keys_.elements[i])));
        }
        view_ = OpenReadView(arguments.branch, arguments.as_of);
        reader_.emplace(view_);
    }

    bool Next(Datum* row) {
        if (next_ == keys_.count) {
            return false;
        }
        reader_->set_snapshot(GetActiveSnapshot());
        if (in_batch_ == batch_.size()) {
            const int count = std::min(kBatch, keys_.count - next_);
            batch_ = reader_->FindMany({keys_.elements + next_, static_cast<size_t>(count)});
            in_batch_ = 0;
        }
        const Datum key = keys_.elements[next_++];
        EntryRow entry;
        if (const std::optional<EncodedEntry>& found = batch_[in_batch_++]) {
            const DataItem item = DecodeDataItem(found->item).OrThrow();
            entry =
                MakeEntryRow(Contents(DatumGetPointer(key)), item, reader_->LoadPayload(item), found->meta);
        } else {
            entry.Set(kEntryKey, key);
        }
        *row = Guarded([&] { return entry.Form(row_type_); });
        return true;
    }

  private:
    // Looked up together: many share a leaf where a thousand keys are asked for, and few are held.
    static constexpr int kBatch = 1000;

    TupleDesc row_type_;
    DatumArray keys_;
    int next_ = 0;
    std::vector<std::optional<EncodedEntry>> batch_;
    size_t in_batch_ = 0;
    ReadView view_;
    std::optional<EntryReader> reader_;
};

int64 CountKeys(std::string_view prefix, std::optional<std::string_view> branch,
                std::optional<std::string_view> as_of) {
    EntryScan scan(OpenReadView(branch, as_of), {KeyRange::Prefix(prefix), false, false});
    int64 count = 0;
    while (scan.Next()) {
        count++;
    }
    return count;
}

}  // namespace

KVS_FUNCTION(kvs_scan)
{ return StreamRows<RangeRows>(fcinfo); }

KVS_FUNCTION(kvs_find)
{ return StreamRows<MatchingEntries>(fcinfo); }

KVS_FUNCTION(kvs_keys)
{ return StreamRows<MatchingKeys>(fcinfo); }

KVS_FUNCTION(kvs_mget)
{ return StreamRows<AskedEntries>(fcinfo); }

// (prefix, branch, as_of)
KVS_FUNCTION(kvs_count_keys)
{
    RequireRead();
    PG_RETURN_INT64(CountKeys(BytesOrEmpty(fcinfo, 0), OptionalBytes(fcinfo, 1), OptionalBytes(fcinfo, 2)));
}

}  // namespace kvs::sqlapi
