#include "pg/read/pattern_scan.h"

namespace kvs::pg {

KeyRange ToKeyRange(const Pattern::Range& range) {
    KeyRange keys;
    keys.start = range.start;
    if (!range.end.empty()) {
        keys.end = range.end;
    }
    return keys;
}

PatternScan::PatternScan(const ReadView& view, Pattern pattern, bool with_meta)
    : view_(view), pattern_(std::move(pattern)), with_meta_(with_meta), ranges_(pattern_.Ranges()) {}

void PatternScan::set_snapshot(Snapshot snapshot) {
    view_.snapshot = snapshot;
    if (scan_) {
        scan_->set_snapshot(snapshot);
    }
}

bool PatternScan::Next() {
    for (;;) {
        if (!scan_) {
            if (next_range_ == ranges_.size()) {
                return false;
            }
            scan_.emplace(view_, EntryScan::Options{ToKeyRange(ranges_[next_range_++]), false, with_meta_});
        }
        while (scan_->Next()) {
            if (pattern_.Matches(scan_->key())) {
                return true;
            }
        }
        scan_.reset();
    }
}

}  // namespace kvs::pg
