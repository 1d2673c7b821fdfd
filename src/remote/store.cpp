#include "remote/store.h"

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/table/remote_table.h"
#include "pg/wall/guard.h"
#include "pg/wall/lock_timeout.h"
#include "pg/wall/settings.h"

extern "C" {
#include "port/pg_bswap.h"
}

namespace kvs::remote {

namespace {

constexpr int32 kProtocol = 1;

template <typename T>
T ReadNumber(std::string_view bytes) {
    T number = 0;
    if (bytes.size() == sizeof(number)) {
        memcpy(&number, bytes.data(), sizeof(number));
    }
    if constexpr (sizeof(T) == sizeof(int64)) {
        return static_cast<T>(pg_ntoh64(static_cast<uint64>(number)));
    } else {
        return static_cast<T>(pg_ntoh32(static_cast<uint32>(number)));
    }
}

[[noreturn]] void ThrowNonsense(const std::string& remote) {
    throw Error(ErrorCode::kCorruption,
                "remote " + Quoted(remote) + " sent something else than was asked for");
}

}  // namespace

Store::Store(std::string_view remote) : connection_(std::string(remote)) {
    const pg::Remote found = pg::FindRemote(remote);
    connection_.Open(ResolveConninfo(found.conninfo, found.server_owner));
    // The helpers' names are qualified; whatever else is found must be the system's.
    connection_.Run("SET search_path = pg_catalog, pg_temp");
    const pg::LockTimeoutScope bounded(pg::settings.branch_lock_timeout);
    connection_.LimitLockWaits(LockTimeout);
    CheckProtocol();
}

void Store::CheckProtocol() {
    const QueryResult found = connection_.Run(
        "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'protocol' AND "
        "pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'kvs_remote'))");
    int32 protocol = 0;
    if (found.rows() == 1 && found.Bytes(0, 0) == std::string_view("\1", 1)) {
        const QueryResult answer = connection_.Run("SELECT kvs_remote.protocol()");
        protocol = answer.rows() == 1 ? ReadNumber<int32>(answer.Bytes(0, 0)) : 0;
    }
    if (protocol != kProtocol) {
        throw Error(ErrorCode::kWrongState,
                    "the database of remote " + Quoted(name()) + " has no kvs that this one can talk to",
                    "CREATE EXTENSION kvs there, or bring both to the same version.");
    }
}

// A server is known by the moment at which it started, in microseconds: a copy of it has another.
bool Store::IsThisDatabase() {
    const QueryResult found = connection_.Run(
        "SELECT pg_postmaster_start_time(), oid FROM pg_database WHERE datname = current_database()");
    return found.rows() == 1 && ReadNumber<int64>(found.Bytes(0, 0)) == PgStartTime &&
           static_cast<Oid>(ReadNumber<int32>(found.Bytes(0, 1))) == MyDatabaseId;
}

void Store::BeginReading() {
    connection_.Run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

void Store::Begin() {
    connection_.Run("BEGIN ISOLATION LEVEL READ COMMITTED");
}

void Store::Commit() {
    connection_.Run("COMMIT");
}

Hash Store::AddressIn(const QueryResult& result, int row, int column) {
    const std::string_view bytes = result.Bytes(row, column);
    if (bytes.size() != Hash::kSize) {
        ThrowNonsense(name());
    }
    return Hash::FromBytes(bytes);
}

std::vector<RemoteRef> Store::Refs() {
    const QueryResult result = connection_.Run(
        "SELECT is_tag, name, head, message, tagger, created_at FROM kvs_remote.refs ORDER BY is_tag, name "
        "COLLATE "
        "\"C\"");
    std::vector<RemoteRef> refs;
    for (int row = 0; row < result.rows(); row++) {
        RemoteRef ref;
        ref.is_tag = result.Bytes(row, 0) == std::string_view("\1", 1);
        ref.name = result.Bytes(row, 1);
        ref.head = AddressIn(result, row, 2);
        if (!result.IsNull(row, 3)) {
            ref.message = std::string(result.Bytes(row, 3));
        }
        ref.tagger = result.Bytes(row, 4);
        ref.created_at = ReadNumber<int64>(result.Bytes(row, 5));
        refs.push_back(std::move(ref));
    }
    return refs;
}

std::vector<std::string> Store::Commits(const std::vector<Hash>& wanted, int count) {
    const QueryResult result = connection_.Run("SELECT kvs_remote.commits($1, $2)",
                                               {Parameter::Addresses(wanted), Parameter::Int4(count)});
    std::vector<std::string> commits;
    commits.reserve(static_cast<size_t>(result.rows()));
    for (int row = 0; row < result.rows(); row++) {
        commits.emplace_back(result.Bytes(row, 0));
    }
    return commits;
}

void Store::Fetch(const std::vector<Hash>& addresses, const Taker& take) {
    for (size_t done = 0; done < addresses.size();) {
        const std::vector<Hash> rest(addresses.begin() + static_cast<ptrdiff_t>(done), addresses.end());
        const QueryResult result =
            connection_.Run("SELECT kvs_remote.chunks($1)", {Parameter::Addresses(rest)});
        if (result.rows() == 0 || static_cast<size_t>(result.rows()) > rest.size()) {
            ThrowNonsense(name());
        }
        for (int row = 0; row < result.rows(); row++) {
            take(done++, std::string(result.Bytes(row, 0)));
        }
    }
}

std::vector<Hash> Store::RunForAddresses(const char* sql, const std::vector<Hash>& addresses) {
    const QueryResult result = connection_.Run(sql, {Parameter::Addresses(addresses)});
    std::vector<Hash> answer;
    answer.reserve(static_cast<size_t>(result.rows()));
    for (int row = 0; row < result.rows(); row++) {
        answer.push_back(AddressIn(result, row, 0));
    }
    return answer;
}

std::vector<Hash> Store::KnownCommits(const std::vector<Hash>& commits) {
    return RunForAddresses("SELECT kvs_remote.known_commits($1)", commits);
}

std::vector<Hash> Store::MissingChunks(const std::vector<Hash>& addresses) {
    return RunForAddresses("SELECT kvs_remote.missing_chunks($1)", addresses);
}

void Store::SendChunks(const std::vector<std::string>& frames) {
    connection_.Run("SELECT kvs_remote.receive_chunks($1)", {Parameter::ByteaArray(frames)});
}

void Store::SendCommits(const std::vector<std::string>& encoded) {
    connection_.Run("SELECT kvs_remote.receive_commits($1)", {Parameter::ByteaArray(encoded)});
}

std::optional<Hash> Store::MoveBranch(std::string_view branch, const Hash& head, bool force) {
    return RunForPlace("SELECT kvs_remote.move_branch($1, $2, $3)",
                       {Parameter::Text(branch), Parameter::Bytea(head.AsBytes()), Parameter::Bool(force)});
}

std::optional<Hash> Store::PlaceTag(const pg::Tag& tag, bool force) {
    return RunForPlace("SELECT kvs_remote.place_tag($1, $2, $3, $4, $5, $6)",
                       {Parameter::Text(tag.name), Parameter::Bytea(tag.commit.AsBytes()),
                        Parameter::OptionalText(tag.message), Parameter::Text(tag.tagger),
                        Parameter::Time(tag.created_at), Parameter::Bool(force)});
}

std::optional<Hash> Store::RunForPlace(const char* sql, const std::vector<Parameter>& parameters) {
    const QueryResult result = connection_.Run(sql, parameters);
    if (result.rows() != 1) {
        ThrowNonsense(name());
    }
    return result.IsNull(0, 0) ? std::nullopt : std::optional<Hash>(AddressIn(result, 0, 0));
}

}  // namespace kvs::remote
