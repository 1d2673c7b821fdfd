// Where a binding brings entries to, and takes them from: rows that are identified by the values of a key.
// Tables of this database are one (table_target.h).
//
// What is written is part of the transaction. Errors: PgError, after which the (sub)transaction must be
// rolled back: what a row's contents are to blame for has an SQLSTATE of class 22 or 23, or that of whoever
// raised it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/wall/server.h"

namespace kvs::pg {

// What a row is to be.
struct TargetRow {
    std::vector<std::string> key;                   // its values
    std::optional<Datum> document;                  // a jsonb; nullopt: there is to be none
    std::vector<std::optional<Datum>> others = {};  // the documents at the other keys, jsonb
};
using TargetRows = std::vector<const TargetRow*>;

// What a row is, as far as it comes from the document: JSON text, equal if the row is.
using Image = std::optional<std::string>;  // nullopt: there is no row

class BindingTarget {
  public:
    virtual ~BindingTarget() = default;

    // Makes the rows what they are to be, whatever was there. In the order given, deletions first.
    virtual void Replace(const TargetRows& rows) = 0;

    // Which of the rows somebody else has locked. Without waiting; the others are locked then.
    virtual std::vector<bool> FindHeld(const TargetRows& rows) = 0;

    // --- for bindings that compare both sides; the answers are in the order of the rows ---

    // The rows as they are; `lock`: and stay until the transaction ends, but for those that are not there.
    virtual std::vector<Image> Read(const TargetRows& rows, bool lock) = 0;

    // What the rows would be; none for those without a document. Errors: 22023 where the values of the key,
    // written as the target does, are others.
    virtual std::vector<Image> Form(const TargetRows& rows) = 0;

    // Whether the value of this column of the mapping is wrapped in an array, so that none and null differ.
    virtual bool IsWrapped(size_t column) const = 0;

    enum class Write { kInsert, kUpdate, kDelete };

    // What became of each: for kDelete an empty image; nullopt: it was not written. What the target tells
    // others of these rows is not to come back to the binding.
    virtual std::vector<Image> Change(Write write, const TargetRows& rows) = 0;

    // The key values of rows, ascending, behind those of one; empty: from the first on.
    virtual std::vector<std::vector<std::string>> ListKeys(const std::vector<std::string>& after,
                                                           int limit) = 0;
};

}  // namespace kvs::pg
