// Remotes, _kvs.remote: other stores by name, and how they are reached. And _kvs.remote_ref: where a remote's
// branches stood when they were last fetched or pushed to. A ref names them REMOTE/BRANCH, after branches and
// tags. What bundles brought stands under the name "bundle", which no remote may have.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kvs/hash.h"
#include "pg/wall/server.h"

namespace kvs::pg {

constexpr std::string_view kBundleRemote = "bundle";

// How a remote is reached: remote/conninfo.h.
struct Remote {
    std::string conninfo;
    std::string server_owner;  // role that its foreign server belonged to; empty: it has none
};

// Errors: kInvalidArgument for a malformed name, kAlreadyExists, also where a branch or a tag is called as
// one of the remote's would be.
void AddRemote(std::string_view name, const Remote& remote);

// Forgets the remote and where its branches stood; false if there is none.
bool DropRemote(std::string_view name);

// Whether there is one of that name now, as "bundle" always is.
bool HasRemote(std::string_view name);

// Errors: kUnknownRef.
Remote FindRemote(std::string_view name);

// By "REMOTE/BRANCH".
std::optional<Hash> FindRemoteRef(std::string_view name, Snapshot snapshot);

struct RemoteRefRow {
    std::string_view remote;  // valid within the call, as is
    std::string_view branch;
    std::optional<Hash> head;  // unset for what is no address
};

// Calls `visit` for each branch of a remote, by remote and name, until it answers false.
void ForEachRemoteRef(Snapshot snapshot, const std::function<bool(const RemoteRefRow& ref)>& visit);

// Forgets where a branch of the remote stood.
void RemoveRemoteRef(std::string_view remote, std::string_view branch);

// To be called by whoever holds the lock of BeginRefEdit and knows that the commit is whole.
void SetRemoteRef(std::string_view remote, std::string_view branch, const Hash& head);

}  // namespace kvs::pg
