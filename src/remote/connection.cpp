#include "remote/connection.h"

#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "pg/wall/guard.h"

extern "C" {
#include "libpq-fe.h"
#include "port/pg_bswap.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/wait_event.h"
}

namespace kvs::remote {

namespace {

using pg::Guarded;

constexpr TimestampTz kNoDeadline = PG_INT64_MAX;

std::string WithoutNewline(const char* message) {
    std::string text = message != nullptr ? message : "";
    text.erase(text.find_last_not_of('\n') + 1);
    return text;
}

void AppendInt4(std::string* out, int32 value) {
    const uint32 ordered = pg_hton32(static_cast<uint32>(value));
    out->append(reinterpret_cast<const char*>(&ordered), sizeof(ordered));
}

// Header of a one-dimensional array without NULLs.
std::string BeginByteaArray(size_t count) {
    std::string out;
    AppendInt4(&out, count > 0 ? 1 : 0);
    AppendInt4(&out, 0);
    AppendInt4(&out, static_cast<int32>(BYTEAOID));
    if (count > 0) {
        AppendInt4(&out, static_cast<int32>(count));
        AppendInt4(&out, 1);
    }
    return out;
}

void AppendElement(std::string* out, std::string_view element) {
    AppendInt4(out, static_cast<int32>(element.size()));
    out->append(element);
}

bool IsError(const QueryResult& result) {
    const ExecStatusType status = PQresultStatus(result.get());
    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
}

}  // namespace

QueryResult::~QueryResult() {
    PQclear(result_);
}

int QueryResult::rows() const {
    return PQntuples(result_);
}

bool QueryResult::IsNull(int row, int column) const {
    return PQgetisnull(result_, row, column) != 0;
}

std::string_view QueryResult::Bytes(int row, int column) const {
    return {PQgetvalue(result_, row, column), static_cast<size_t>(PQgetlength(result_, row, column))};
}

Parameter Parameter::Int4(int32 value) {
    Parameter parameter{INT4OID, {}};
    AppendInt4(&parameter.value, value);
    return parameter;
}

Parameter Parameter::Time(TimestampTz value) {
    const uint64 ordered = pg_hton64(static_cast<uint64>(value));
    return {TIMESTAMPTZOID, std::string(reinterpret_cast<const char*>(&ordered), sizeof(ordered))};
}

Parameter Parameter::ByteaArray(const std::vector<std::string>& elements) {
    Parameter parameter{BYTEAARRAYOID, BeginByteaArray(elements.size())};
    for (const std::string& element : elements) {
        AppendElement(&parameter.value, element);
    }
    return parameter;
}

Parameter Parameter::Addresses(const std::vector<Hash>& addresses) {
    Parameter parameter{BYTEAARRAYOID, BeginByteaArray(addresses.size())};
    for (const Hash& address : addresses) {
        AppendElement(&parameter.value, address.AsBytes());
    }
    return parameter;
}

Connection::Connection(std::string name) : name_(std::move(name)) {}

Connection::~Connection() {
    PQfinish(connection_);
    if (has_descriptor_) {
        ReleaseExternalFD();
    }
}

void Connection::Open(const ConnectionOptions& options) {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    const auto add = [&](const char* keyword, const char* value) {
        keywords.push_back(keyword);
        values.push_back(value);
    };
    for (const auto& [keyword, value] : options.values) {
        add(keyword.c_str(), value.c_str());
    }
    add("fallback_application_name", "kvs");
    add("client_encoding", "UTF8");
    add(nullptr, nullptr);

    has_descriptor_ = AcquireExternalFD();
    if (!has_descriptor_) {
        Guarded([&] {
            ereport(ERROR, errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
                    errmsg("could not connect to remote \"%s\"", name_.c_str()),
                    errdetail("There are too many open files on the local server."),
                    errhint("Raise the server's max_files_per_process setting."));
        });
    }
    connection_ = PQconnectStartParams(keywords.data(), values.data(), 0);
    if (connection_ == nullptr) {
        throw std::bad_alloc();
    }
    TimestampTz deadline = kNoDeadline;
    for (const auto& [keyword, value] : options.values) {
        if (keyword == "connect_timeout" && atoi(value.c_str()) > 0) {
            deadline = GetCurrentTimestamp() + atoi(value.c_str()) * USECS_PER_SEC;
        }
    }
    PostgresPollingStatusType state =
        PQstatus(connection_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        Wait(state == PGRES_POLLING_READING ? WL_SOCKET_READABLE : WL_SOCKET_WRITEABLE, deadline);
        state = PQconnectPoll(connection_);
    }
    if (state == PGRES_POLLING_FAILED) {
        const std::string problem = WithoutNewline(PQerrorMessage(connection_));
        Guarded([&] {
            ereport(ERROR, errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
                    errmsg("could not connect to remote \"%s\"", name_.c_str()),
                    errdetail_internal("%s", problem.c_str()));
        });
    }
    if (options.password_required && PQconnectionUsedPassword(connection_) == 0) {
        Guarded([] {
            ereport(ERROR, errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
                    errmsg("password is required"),
                    errdetail("Non-superuser cannot connect if the server does not request a password."),
                    errhint("Target server's authentication method must be changed."));
        });
    }
    PQsetnonblocking(connection_, 1);
}

void Connection::LimitLockWaits(int limit) {
    if (limit > 0) {
        Run("SELECT set_config('lock_timeout', $1, false) FROM pg_settings "
            "WHERE name = 'lock_timeout' AND setting::int NOT BETWEEN 1 AND $2",
            {Parameter::Text(std::to_string(limit)), Parameter::Int4(limit)});
    }
}

// Until the socket is ready or something else has woken this process. Errors: 08001 after the deadline, which
// only an attempt to connect has.
void Connection::Wait(int events, TimestampTz deadline) {
    Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        long milliseconds = -1;
        if (deadline != kNoDeadline) {
            milliseconds = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
            events |= WL_TIMEOUT;
            if (milliseconds <= 0) {
                ereport(ERROR, errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
                        errmsg("could not connect to remote \"%s\"", name_.c_str()),
                        errdetail("The time limit connect_timeout has run out."));
            }
        }
        const int ready = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | events,
                                            PQsocket(connection_), milliseconds, PG_WAIT_EXTENSION);
        if ((ready & WL_LATCH_SET) != 0) {
            ResetLatch(MyLatch);
        }
        CHECK_FOR_INTERRUPTS();
    });
}

void Connection::Send(const char* sql, const std::vector<Parameter>& parameters) {
    std::vector<Oid> types;
    std::vector<const char*> values;
    std::vector<int> lengths;
    for (const Parameter& parameter : parameters) {
        types.push_back(parameter.type);
        values.push_back(parameter.is_null ? nullptr : parameter.value.data());
        lengths.push_back(static_cast<int>(parameter.value.size()));
    }
    const std::vector<int> formats(parameters.size(), 1);
    if (PQsendQueryParams(connection_, sql, static_cast<int>(parameters.size()), types.data(), values.data(),
                          lengths.data(), formats.data(), 1) == 0) {
        RaiseLost();
    }
    for (;;) {
        const int pending = PQflush(connection_);
        if (pending == 0) {
            return;
        }
        if (pending < 0) {
            RaiseLost();
        }
        // The other side may want to be read before it reads on.
        Wait(WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE, kNoDeadline);
        if (PQconsumeInput(connection_) == 0) {
            RaiseLost();
        }
    }
}

QueryResult Connection::Run(const char* sql, const std::vector<Parameter>& parameters) {
    Send(sql, parameters);
    // The first result counts, or the first error; the rest is taken off the line all the same.
    std::optional<QueryResult> answer;
    for (;;) {
        while (PQisBusy(connection_) != 0) {
            Wait(WL_SOCKET_READABLE, kNoDeadline);
            if (PQconsumeInput(connection_) == 0) {
                RaiseLost();
            }
        }
        QueryResult next(PQgetResult(connection_));
        if (next.get() == nullptr) {
            break;
        }
        if (!answer || (!IsError(*answer) && IsError(next))) {
            answer.emplace(std::move(next));
        }
    }
    if (!answer) {
        RaiseLost();
    }
    if (IsError(*answer)) {
        RaiseFailed(answer->get());
    }
    return *std::move(answer);
}

void Connection::RaiseLost() {
    const std::string problem = WithoutNewline(PQerrorMessage(connection_));
    Guarded([&] {
        ereport(ERROR, errcode(ERRCODE_CONNECTION_FAILURE),
                errmsg("the connection to remote \"%s\" was lost", name_.c_str()),
                errdetail_internal("%s", problem.c_str()), errhint("Try again."));
    });
    pg_unreachable();
}

void Connection::RaiseFailed(const pg_result* result) {
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    // Without a state it is libpq itself that complains; class 57P: the other session was ended.
    if (state == nullptr || strlen(state) != 5 || strncmp(state, "57P", 3) == 0 ||
        PQstatus(connection_) == CONNECTION_BAD) {
        RaiseLost();
    }
    const auto field = [&](int code) { return WithoutNewline(PQresultErrorField(result, code)); };
    const std::string message = field(PG_DIAG_MESSAGE_PRIMARY);
    std::string detail = field(PG_DIAG_MESSAGE_DETAIL);
    std::string hint = field(PG_DIAG_MESSAGE_HINT);
    if (strcmp(state, "55P03") == 0 && detail.empty()) {
        detail = "A transaction there did not end in time, perhaps because it waits for this one.";
        hint = "Try again in a transaction that has not written anything before.";
    }
    Guarded([&] {
        ereport(ERROR, errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
                errmsg("remote \"%s\": %s", name_.c_str(), message.c_str()),
                detail.empty() ? 0 : errdetail_internal("%s", detail.c_str()),
                hint.empty() ? 0 : errhint("%s", hint.c_str()));
    });
    pg_unreachable();
}

}  // namespace kvs::remote
