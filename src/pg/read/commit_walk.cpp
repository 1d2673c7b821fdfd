#include "pg/read/commit_walk.h"

#include <tuple>

#include "pg/table/commit_table.h"

namespace kvs::pg {

bool CommitWalk::Older::operator()(const Step& a, const Step& b) const {
    return std::tie(a.commit.committed_at, a.commit.generation, a.hash) <
           std::tie(b.commit.committed_at, b.commit.generation, b.hash);
}

CommitWalk::CommitWalk(const Hash& start, Snapshot snapshot) : snapshot_(snapshot) {
    Add(start);
}

void CommitWalk::Add(const Hash& hash) {
    if (met_.insert(hash).second) {
        queue_.push({hash, ReadCommit(hash, snapshot_)});
    }
}

bool CommitWalk::Next() {
    if (current_) {
        for (const Hash& parent : current_->commit.parents) {
            Add(parent);
        }
        current_.reset();
    }
    if (queue_.empty()) {
        return false;
    }
    current_ = queue_.top();
    queue_.pop();
    return true;
}

}  // namespace kvs::pg
