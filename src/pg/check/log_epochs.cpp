#include "pg/check/log_epochs.h"

#include <algorithm>
#include <cstring>

#include "kvs/codec/item.h"
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
        LogEpoch epoch;
        memcpy(epoch.log_id.data(), row.Bytes(1).data(), epoch.log_id.size());
        epoch.first = row.Int8(2);
        epoch.end = end;
        end = epoch.first;
        if (epochs_.empty() && row.Int8(3) == system && row.Int8(4) == static_cast<int64>(MyDatabaseId)) {
            first_seq_here_ = epoch.first;
        }
        epochs_.push_back(epoch);
    }
    row.Finish();
}

bool LogEpochs::Own(const ChangeId& change) const {
    const LogEpoch* epoch = Find(static_cast<int64>(change.seq));
    return epoch != nullptr && epoch->log_id == change.log_id;
}

std::string LogEpochs::WholeMetadata(std::string_view logged, int64 version, int64 seq) const {
    const LogEpoch* epoch = Find(seq);
    const ChangeId change{epoch != nullptr ? epoch->log_id : LogId{}, static_cast<uint64_t>(seq)};
    std::string item(logged.size() + kMaxLeftOutOfLog, '\0');
    const char* end = WriteMetadataFromLog(logged, static_cast<uint64_t>(version), change, item.data());
    if (end == nullptr) {
        return std::string(logged);
    }
    item.resize(static_cast<size_t>(end - item.data()));
    return item;
}

const LogEpoch* LogEpochs::Find(int64 seq) const {
    const auto found =
        std::find_if(epochs_.begin(), epochs_.end(), [&](const LogEpoch& epoch) { return epoch.Has(seq); });
    return found == epochs_.end() ? nullptr : &*found;
}

}  // namespace kvs::pg
