#include "pg/read/pattern_changes.h"

#include <algorithm>
#include <utility>

#include "kvs/tree/diff.h"
#include "pg/read/pattern_scan.h"
#include "pg/read/view_diff.h"
#include "pg/table/commit_table.h"

namespace kvs::pg {

PatternChanges::PatternChanges(Pattern pattern, Snapshot snapshot)
    : pattern_(std::move(pattern)), chunks_(snapshot) {
    for (const Pattern::Range& range : pattern_.Ranges()) {
        ranges_.push_back(ToKeyRange(range));
    }
}

bool PatternChanges::AreIn(const Commit& commit, Snapshot snapshot) {
    chunks_.set_snapshot(snapshot);
    if (commit.parents.empty()) {
        return Differ(InitialCommit(), commit, snapshot);
    }
    return std::all_of(commit.parents.begin(), commit.parents.end(), [&](const Hash& parent) {
        return Differ(*ReadAncestor(parent, snapshot), commit, snapshot);
    });
}

bool PatternChanges::Differ(const Commit& from, const Commit& to, Snapshot snapshot) {
    const auto share = [&](const KeyRange& range) {
        return ShareRange(chunks_, from.meta_root, to.meta_root, range) &&
               ShareRange(chunks_, from.data_root, to.data_root, range);
    };
    return !std::all_of(ranges_.begin(), ranges_.end(), share) &&
           ViewDiff(CommitView(from, snapshot), CommitView(to, snapshot), &pattern_).Next();
}

}  // namespace kvs::pg
