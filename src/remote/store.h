// The store on the other side of a connection: schema kvs_remote there, in the terms of this one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/hash.h"
#include "pg/table/tag_table.h"
#include "pg/transfer/object_intake.h"
#include "pg/wall/server.h"
#include "remote/connection.h"

namespace kvs::remote {

struct RemoteRef {
    bool is_tag = false;
    std::string name;
    Hash head;
    // Of a tag.
    std::optional<std::string> message;
    std::string tagger;
    TimestampTz created_at = 0;

    pg::Tag AsTag() const { return {name, head, message, tagger, created_at}; }
};

class Store : public pg::ChunkSource {
  public:
    // Connects to the remote of this name. Its statements wait for locks as long as a rewrite of a branch
    // here would. Errors: kUnknownRef; those of a connection; 55000 if the database has no kvs, or one that
    // speaks another protocol.
    explicit Store(std::string_view remote);

    // Whether it is the database of this session.
    bool IsThisDatabase();

    // Everything that is read from here on is of one moment, until the connection ends.
    void BeginReading();

    // Branches, then tags, each by name.
    std::vector<RemoteRef> Refs();

    // Encoded commits: those that are wanted and ancestors of theirs, newest first, about `count` in all.
    std::vector<std::string> Commits(const std::vector<Hash>& wanted, int count);

    void Fetch(const std::vector<Hash>& addresses, const Taker& take) override;

    // Which of these the other side has: commits with all that they reach; chunks that it lacks.
    std::vector<Hash> KnownCommits(const std::vector<Hash>& commits);
    std::vector<Hash> MissingChunks(const std::vector<Hash>& addresses);

    // Each call is a transaction, unless within Begin and Commit.
    void SendChunks(const std::vector<std::string>& frames);
    void Begin();
    void SendCommits(const std::vector<std::string>& encoded);
    // Where the branch or the tag stood; nullopt if it was created.
    std::optional<Hash> MoveBranch(std::string_view branch, const Hash& head, bool force);
    std::optional<Hash> PlaceTag(const pg::Tag& tag, bool force);
    void Commit();

    const std::string& name() const { return connection_.name(); }

  private:
    void CheckProtocol();
    std::optional<Hash> RunForPlace(const char* sql, const std::vector<Parameter>& parameters);
    std::vector<Hash> RunForAddresses(const char* sql, const std::vector<Hash>& addresses);
    Hash AddressIn(const QueryResult& result, int row, int column);

    Connection connection_;
};

}  // namespace kvs::remote
