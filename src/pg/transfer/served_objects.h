// What this store answers to others that fetch from it or push to it, and takes from them: behind schema
// kvs_remote. Addresses come as bytea[]; one that has not 32 bytes is kInvalidArgument. An answer ends after
// a few megabytes, and the other side asks for the rest.
#pragma once

#include <functional>
#include <string_view>

#include "kvs/hash.h"
#include "pg/wall/arguments.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// Called for each object of an answer, in its order.
using SendObject = std::function<void(std::string_view object)>;

// Encoded commits: those that are wanted and ancestors of theirs, of the highest generations first, at most
// `count`.
void SendCommits(const DatumArray& wanted, int32 count, const SendObject& send);

// Frames of chunks, in the order of their addresses, of as many as an answer may hold.
void SendChunks(const DatumArray& addresses, const SendObject& send);

// Which of these commits are whole here.
void SendKnownCommits(const DatumArray& commits, const SendObject& send);

// Which of these chunks are not here.
void SendMissingChunks(const DatumArray& addresses, const SendObject& send);

// The functions that take something: the caller holds the lock of BeginRefEdit.

// Returns how many frames were stored. Errors: kCorruption.
int64 ReceiveChunks(const DatumArray& frames);

// Parents before children. Returns how many. Errors: kCorruption; kWrongState for what is missing.
int64 ReceiveCommits(const DatumArray& encoded);

// The commit that these bytes name. Errors: kWrongState if it is not whole.
Hash RequireWholeCommit(std::string_view address);

}  // namespace kvs::pg
