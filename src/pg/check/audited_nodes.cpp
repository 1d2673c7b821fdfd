#include "pg/check/audited_nodes.h"

#include <utility>

namespace kvs::pg {

AuditedChildren::AuditedChildren(const std::vector<AuditedNode>& nodes) : nodes_(nodes) {
    if (!at_end()) {
        key_before_ = nodes_.front().place.key_before;
        parent().Key(0, &last_key_);
    }
}

void AuditedChildren::Advance() {
    std::swap(key_before_, last_key_);
    if (++child_ == parent().count()) {
        child_ = 0;
        node_++;
    }
    if (!at_end()) {
        parent().Key(child_, &last_key_);
    }
}

}  // namespace kvs::pg
