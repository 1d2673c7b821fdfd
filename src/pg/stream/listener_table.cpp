#include "pg/stream/listener_table.h"

#include <vector>

#include "kvs/error.h"
#include "pg/table/catalog.h"
#include "pg/table/owner_query.h"
#include "pg/table/table_watch.h"
#include "pg/wall/guard.h"

extern "C" {
#include "commands/async.h"
#include "storage/lock.h"
}

namespace kvs::pg {

namespace {

constexpr char kPrefix[] = "kvs_";
constexpr size_t kPrefixSize = sizeof(kPrefix) - 1;
constexpr size_t kRandomBytes = 16;
constexpr size_t kChannelSize = kPrefixSize + 2 * kRandomBytes;

// Tells these locks from those of pg_advisory_lock and of kvs.lock.
constexpr uint16 kListenerLock = 0x6b77;

char own_channel[kChannelSize + 1];  // empty: it has none yet

TableWatch watch = {.table = Object::kListener};

uint32 HexWord(std::string_view channel, size_t word) {
    return static_cast<uint32>(
        strtoul(std::string(channel.substr(kPrefixSize + 8 * word, 8)).c_str(), nullptr, 16));
}

// Server code.
LOCKTAG TagOf(uint32 first, uint32 second) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, first, second, kListenerLock);
    return tag;
}

LOCKTAG TagOf(std::string_view channel) {
    return TagOf(HexWord(channel, 0), HexWord(channel, 1));
}

// Makes up the session's channel, and holds its lock until the session ends.
void ChooseChannel() {
    if (own_channel[0] != '\0') {
        return;
    }
    uint8 random[kRandomBytes];
    char channel[kChannelSize + 1] = "kvs_";
    if (!pg_strong_random(random, sizeof(random))) {
        Guarded([] {
            ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random numbers"));
        });
    }
    hex_encode(reinterpret_cast<const char*>(random), sizeof(random), channel + kPrefixSize);
    channel[kChannelSize] = '\0';
    const LOCKTAG tag = TagOf(channel);
    Guarded([&] { LockAcquire(&tag, ExclusiveLock, true, false); });
    strlcpy(own_channel, channel, sizeof(own_channel));
}

// Tells the sequencer.
void Announce() {
    Guarded([] { CacheInvalidateRelcacheByRelid(ObjectOid(Object::kListener)); });
}

}  // namespace

const char* AddListener(std::string_view pattern, int32 branch_id) {
    ChooseChannel();
    ExecuteAsOwner(
        "INSERT INTO _kvs.listener (channel, pattern, branch_id, role, pid, since)"
        " VALUES ($1, $2, $3, $4, pg_backend_pid(), clock_timestamp())"
        " ON CONFLICT (channel, pattern, branch_id) DO UPDATE SET role = excluded.role",
        {Parameter::Text(own_channel), Parameter::Text(pattern), Parameter::Int4(branch_id),
         Parameter::Of(OIDOID, ObjectIdGetDatum(GetUserId()))});
    Announce();
    Guarded([] { Async_Listen(own_channel); });
    return own_channel;
}

uint64 RemoveListeners(std::optional<std::string_view> pattern) {
    if (own_channel[0] == '\0') {
        return 0;
    }
    const uint64 removed = ExecuteAsOwner(
        "DELETE FROM _kvs.listener WHERE channel = $1 AND ($2 IS NULL OR pattern = $2)",
        {Parameter::Text(own_channel), pattern ? Parameter::Text(*pattern) : Parameter::Null(TEXTOID)});
    if (removed > 0) {
        Announce();
        OwnerQuery left("SELECT FROM _kvs.listener WHERE channel = $1 LIMIT 1",
                        {Parameter::Text(own_channel)}, true);
        const bool is_last = !left.Next();
        left.Finish();
        if (is_last) {
            Guarded([] { Async_Unlisten(own_channel); });
        }
    }
    return removed;
}

void ForEachListener(const std::function<void(const Listener&)>& visit) {
    OwnerQuery row(
        "SELECT channel, pattern, branch_id, role::int8, is_lagged FROM _kvs.listener ORDER BY channel");
    while (row.Next()) {
        visit({std::string(row.Bytes(1)), std::string(row.Bytes(2)), row.Int4(3),
               static_cast<Oid>(row.Int8(4)), row.Bool(5)});
    }
    row.Finish();
}

bool HaveListenersChanged() {
    return HasChanged(&watch);
}

void MarkLagged(std::string_view channel, bool is_lagged) {
    ExecuteAsOwner("UPDATE _kvs.listener SET is_lagged = $2 WHERE channel = $1 AND is_lagged <> $2",
                   {Parameter::Text(channel), Parameter::Bool(is_lagged)});
}

void RemoveDeadListeners() {
    std::vector<std::string> dead;
    OwnerQuery row("SELECT DISTINCT channel FROM _kvs.listener");
    while (row.Next()) {
        std::string channel(row.Bytes(1));
        const LOCKTAG tag = TagOf(channel);
        const bool is_dead = channel.size() != kChannelSize || Guarded([&] {
                                 const bool is_free =
                                     LockAcquire(&tag, ShareLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
                                 if (is_free) {
                                     LockRelease(&tag, ShareLock, false);
                                 }
                                 return is_free;
                             });
        if (is_dead) {
            dead.push_back(std::move(channel));
        }
    }
    row.Finish();
    for (const std::string& channel : dead) {
        ExecuteAsOwner("DELETE FROM _kvs.listener WHERE channel = $1", {Parameter::Text(channel)});
    }
    if (!dead.empty()) {
        Announce();
    }
}

}  // namespace kvs::pg
