#include "pg/check/log_epochs.h"

#include <cstring>

#include "pg/table/owner_query.h"
#include "pg/wall/guard.h"

extern "C" {
#include "access/xlog.h"
}

namespace kvs::pg {

LogEpochs::LogEpochs() {
    const auto system = static_cast<int64>(Guarded([] { return GetSystemIdentifier(); }));
    int64 end = PG_INT64_MAX;
    OwnerQuery row(
        "SELECT uuid_send(log_id), first_seq, system_identifier, database_oid FROM _kvs.store "
        "ORDER BY epoch DESC");
    while (row.Next()) {
        Epoch epoch;
        memcpy(epoch.log_id.data(), row.Bytes(1).data(), epoch.log_id.size());
        epoch.first_seq = row.Int8(2);
        epoch.end = end;
        end = epoch.first_seq;
        if (epochs_.empty() && row.Int8(3) == system && row.Int8(4) == static_cast<int64>(MyDatabaseId)) {
            first_seq_here_ = epoch.first_seq;
        }
        epochs_.push_back(epoch);
    }
    row.Finish();
}

bool LogEpochs::Own(const ChangeId& change) const {
    for (const Epoch& epoch : epochs_) {
        if (epoch.log_id == change.log_id) {
            const auto seq = static_cast<int64>(change.seq);
            return seq >= epoch.first_seq && seq < epoch.end;
        }
    }
    return false;
}

}  // namespace kvs::pg
