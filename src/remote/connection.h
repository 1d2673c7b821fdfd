// A connection to another server, by libpq. Waits let cancel requests in. It is closed by the destructor,
// which runs in an error too, because every call into the server is guarded; statements that run on the other
// side meanwhile end when they meet the closed connection.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "pg/wall/server.h"
#include "remote/conninfo.h"

struct pg_conn;
struct pg_result;

namespace kvs::remote {

// What a query returned, in binary form.
class QueryResult {
  public:
    explicit QueryResult(pg_result* result) : result_(result) {}
    ~QueryResult();
    QueryResult(QueryResult&& other) noexcept : result_(other.result_) { other.result_ = nullptr; }
    QueryResult(const QueryResult&) = delete;
    QueryResult& operator=(const QueryResult&) = delete;

    const pg_result* get() const { return result_; }
    int rows() const;
    bool IsNull(int row, int column) const;
    std::string_view Bytes(int row, int column) const;

  private:
    pg_result* result_;
};

// A parameter of a query, in binary form.
struct Parameter {
    Oid type;
    std::string value;
    bool is_null = false;

    static Parameter Text(std::string_view text) { return {TEXTOID, std::string(text)}; }
    static Parameter OptionalText(const std::optional<std::string>& text) {
        return {TEXTOID, text.value_or(""), !text};
    }
    static Parameter Bytea(std::string_view bytes) { return {BYTEAOID, std::string(bytes)}; }
    static Parameter Bool(bool value) { return {BOOLOID, std::string(1, value ? '\1' : '\0')}; }
    static Parameter Int4(int32 value);
    static Parameter Time(TimestampTz value);
    static Parameter ByteaArray(const std::vector<std::string>& elements);
    static Parameter Addresses(const std::vector<Hash>& addresses);
};

class Connection {
  public:
    // `name` is that of the remote, for messages.
    explicit Connection(std::string name);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // To be called once, first. Errors: 08001; 2F003 if a password is required and the other side has not
    // asked for it.
    void Open(const ConnectionOptions& options);

    // Bounds how long a statement may wait for a lock on the other side, where the server cannot see that
    // this transaction waits for it: a circle of waits through a connection ends by 55P03. In milliseconds;
    // 0, or a smaller limit of the other side's own, leaves that.
    void LimitLockWaits(int limit);

    // Runs one statement. Errors: the other side's, with its SQLSTATE; 08006 if the connection is lost.
    QueryResult Run(const char* sql, const std::vector<Parameter>& parameters = {});

    const std::string& name() const { return name_; }

  private:
    void Wait(int events, TimestampTz deadline);
    void Send(const char* sql, const std::vector<Parameter>& parameters);
    [[noreturn]] void RaiseLost();
    [[noreturn]] void RaiseFailed(const pg_result* result);

    std::string name_;
    pg_conn* connection_ = nullptr;
    bool has_descriptor_ = false;
};

}  // namespace kvs::remote
