#include "pg/read/commit_walk.h"

#include <tuple>

namespace kvs::pg {

bool CommitWalk::Older::operator()(const Step& a, const Step& b) const {
    return std::tie(a.commit->committed_at, a.commit->generation, a.hash) <
           std::tie(b.commit->committed_at, b.commit->generation, b.hash);
}

CommitWalk::CommitWalk(const Hash& start, Snapshot snapshot) : snapshot_(snapshot) {
    met_.insert(start);
    queue_.push({start, std::make_shared<const Commit>(ReadCommit(start, snapshot_))});
}

void CommitWalk::AddParent(const Hash& hash) {
    if (met_.insert(hash).second) {
        queue_.push({hash, ReadAncestor(hash, snapshot_)});
    }
}

bool CommitWalk::Next() {
    if (current_) {
        for (const Hash& parent : current_->commit->parents) {
            AddParent(parent);
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
