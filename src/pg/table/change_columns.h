// The columns of the change log's members, for those who write and who read their rows.
#pragma once

namespace kvs::pg {

enum ChangeColumn {
    kSeqColumn = 1,
    kPrevSeqColumn,
    kXidColumn,
    kVersionColumn,
    kBranchColumn,
    kOpColumn,
    kKeyColumn,
    kMetaColumn,
    kItemColumn,
    kChangeColumns = kItemColumn
};

}  // namespace kvs::pg
