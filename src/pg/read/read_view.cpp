#include "pg/read/read_view.h"

#include <algorithm>

#include "kvs/entry/expiry.h"
#include "kvs/tree/tree.h"
#include "kvs/util/quote.h"
#include "pg/table/commit_table.h"
#include "pg/table/empty_epochs.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

ReadView OpenReadView(std::optional<std::string_view> branch, std::optional<std::string_view> as_of) {
    if (!branch && !as_of && settings.as_of[0] != '\0') {
        as_of = settings.as_of;
    }
    Snapshot snapshot = GetActiveSnapshot();
    if (as_of) {
        return ViewOf(ResolveRef(*as_of, branch.value_or(std::string_view()), snapshot), snapshot);
    }
    const Branch found = FindBranch(branch.value_or(std::string_view()), snapshot);
    return WorkingView(found, snapshot);
}

ReadView ViewOf(const ResolvedRef& ref, Snapshot snapshot) {
    return ref.is_working ? WorkingView(ref.branch, snapshot)
                          : ReadView{snapshot, {}, ref.roots, ref.committed_at};
}

ReadView HeadView(const Branch& branch, Snapshot snapshot) {
    return CommitView(ReadCommit(branch.head, snapshot), snapshot);
}

ReadView WorkingView(const Branch& branch, Snapshot snapshot) {
    return {snapshot, ReadableEpochs(branch), branch.working,
            FromServerTime(GetCurrentStatementStartTimestamp())};
}

ReadView FirstParentView(const Commit& commit, Snapshot snapshot) {
    return commit.parents.empty() ? CommitView(InitialCommit(), snapshot)
                                  : CommitView(*ReadAncestor(commit.parents[0], snapshot), snapshot);
}

ReadView CommitView(const Commit& commit, Snapshot snapshot) {
    return {snapshot, {}, {commit.data_root, commit.meta_root}, commit.committed_at};
}

namespace {

constexpr size_t kMaxRowBytes = size_t{1} << 20;  // of working rows held at once

[[noreturn]] void ThrowNoMetadata(std::string_view key) {
    throw Damaged("key " + Quoted(key) + " has no metadata");
}

}  // namespace

// A row of a live view that overlays the trees.
bool EntryReader::FindRow(Datum key, int columns, WorkingRow* row) {
    return Guarded([&] {
        Table working = OpenWorkingForRead();
        const bool hit = FindWorking(&working, view_.snapshot, view_.overlay, key, columns, row);
        Close(&working);
        if (!hit && view_.overlay.count > 1) {
            SearchOlderEpochs(view_.overlay, 1);
        }
        return hit;
    });
}

std::optional<std::string> EntryReader::FindMetadata(Datum key) {
    WorkingRow row;
    if (view_.IsLive() && FindRow(key, kWorkingMeta, &row)) {
        return std::string(Contents(row.meta));
    }
    const std::optional<FoundValue> value =
        Tree(chunks_, view_.roots.meta_root).Get(Contents(DatumGetPointer(key)));
    return value ? std::optional<std::string>(value->value) : std::nullopt;
}

std::optional<FoundEntry> EntryReader::Find(Datum key, bool with_meta) {
    std::optional<FoundEntry> found;
    const std::string_view key_bytes = Contents(DatumGetPointer(key));
    if (key_bytes.empty() || key_bytes.size() > kMaxKeySize) {
        return found;
    }
    if (view_.IsLive()) {
        WorkingRow row;
        if (FindRow(key, with_meta ? kWorkingItem | kWorkingMeta : kWorkingItem, &row)) {
            if (row.item == nullptr) {
                return found;
            }
            found.emplace();
            found->item = DecodeDataItem(Contents(row.item)).OrThrow();
            if (with_meta) {
                found->meta.bytes = Contents(row.meta);
            }
        }
    }
    if (!found) {
        std::optional<FoundValue> value = Tree(chunks_, view_.roots.data_root).Get(key_bytes);
        if (!value) {
            return found;
        }
        found.emplace();
        found->item = DecodeDataItem(value->value).OrThrow();
        found->leaf = std::move(value->leaf);
        if (with_meta) {
            value = Tree(chunks_, view_.roots.meta_root).Get(key_bytes);
            if (!value) {
                ThrowNoMetadata(key_bytes);
            }
            found->meta = {value->value, std::move(value->leaf)};
        }
    }
    if (IsExpired(found->item.expires_at, view_.now)) {
        found.reset();
    }
    return found;
}

std::vector<std::optional<EncodedEntry>> EntryReader::FindMany(std::span<const Datum> keys) {
    std::vector<WorkingRow> rows(keys.size());
    std::vector<char> is_dirty(keys.size());
    if (view_.IsLive()) {
        // A row holds its value whole, unlike a leaf.
        const size_t count = Guarded([&] {
            Table working = OpenWorkingForRead();
            size_t i = 0;
            for (size_t bytes = 0; i < keys.size() && bytes < kMaxRowBytes; i++) {
                is_dirty[i] = FindWorking(&working, view_.snapshot, view_.overlay, keys[i],
                                          kWorkingItem | kWorkingMeta, &rows[i]);
                bytes += is_dirty[i] && rows[i].item != nullptr ? Contents(rows[i].item).size() : 0;
            }
            Close(&working);
            if (view_.overlay.count > 1) {
                SearchOlderEpochs(view_.overlay, std::count(is_dirty.begin(), is_dirty.begin() + i, 0));
            }
            return i;
        });
        keys = keys.first(count);
    }
    std::vector<std::optional<EncodedEntry>> found(keys.size());
    const auto bytes_of = [&](size_t i) { return Contents(DatumGetPointer(keys[i])); };
    std::vector<size_t> clean;
    for (size_t i = 0; i < keys.size(); i++) {
        if (!is_dirty[i]) {
            clean.push_back(i);
        } else if (rows[i].item != nullptr) {
            found[i] = {std::string(Contents(rows[i].item)), std::string(Contents(rows[i].meta))};
        }
    }
    std::sort(clean.begin(), clean.end(), [&](size_t a, size_t b) { return bytes_of(a) < bytes_of(b); });
    std::vector<std::string_view> sorted;
    sorted.reserve(clean.size());
    for (const size_t i : clean) {
        sorted.push_back(bytes_of(i));
    }
    Tree(chunks_, view_.roots.data_root).GetMany(sorted, [&](size_t n, std::optional<std::string_view> item) {
        if (item) {
            found[clean[n]].emplace().item = *item;
        }
    });
    Tree(chunks_, view_.roots.meta_root).GetMany(sorted, [&](size_t n, std::optional<std::string_view> meta) {
        if (std::optional<EncodedEntry>& entry = found[clean[n]]) {
            if (!meta) {
                ThrowNoMetadata(sorted[n]);
            }
            entry->meta = *meta;
        }
    });
    for (std::optional<EncodedEntry>& entry : found) {
        if (entry && IsExpired(DecodeDataItem(entry->item).OrThrow().expires_at, view_.now)) {
            entry.reset();
        }
    }
    return found;
}

}  // namespace kvs::pg
