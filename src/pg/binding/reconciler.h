// Brings keys of a binding and their rows together.
//
// One-way, where nobody minds what the table holds, rows are made what the entries say. Else both sides are
// compared with what they were when they were brought together last, so that it is known who has changed
// what (kvs/binding/decision.h). Either side may be changed meanwhile: a row is locked while it is compared,
// one that comes nevertheless is not written, and neither is an entry that is not any more at the version
// that was read. Such a key is to be looked at again.
//
//     row locked, entry read   compared with the base   what the winner says is written to the other side
//     what the table made of it (defaults, triggers) goes back into the entry   both become the new base
//
// All of it is in one transaction, so nobody hears an echo: the event of an entry that was written here finds
// both sides as the base has them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kvs/binding/mapping.h"
#include "kvs/hash.h"
#include "pg/binding/base_table.h"
#include "pg/binding/binding_table.h"
#include "pg/binding/binding_target.h"
#include "pg/binding/parked_table.h"
#include "pg/read/read_view.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// A key that may have changed.
struct DirtyKey {
    std::string key;
    TargetRow row;               // its key is empty where the key belongs to no row
    bool by_store = false;       // an event tells so
    bool by_table = false;       // a mark does
    bool is_forced = false;      // what the row shows of other keys may have changed
    bool has_document = false;   // row.document is that of the event; else the entry is to be read
    bool is_unreadable = false;  // the entry is no JSON
    uint64_t version = 0;        // of the entry that was read; 0: there is none
    TimestampTz stored_at = 0;   // when the entry was changed; 0: not known
    TimestampTz changed_at = 0;  // when the row was
    int delay = 0;               // ms for which it was put off last
    int64 pos = 0;               // of the event
};
using DirtyKeys = std::vector<DirtyKey*>;

struct Outcome {
    int64 written = 0;
    int64 returned = 0;
    int64 conflicts = 0;
    std::vector<const DirtyKey*> again = {};  // have changed meanwhile: to be looked at once more
    std::vector<const DirtyKey*> held = {};   // somebody holds the row or the entry: later
    std::map<DirtyKey*, Fault> parked = {};

    void Add(Outcome other);
};

class Reconciler {
  public:
    Reconciler(const Binding& binding, const Mapping& mapping, BindingTarget* target)
        : binding_(binding), mapping_(mapping), target_(target) {}

    // Reads the entries that are not there yet, in the memory context current, which must live as long as
    // they are used.
    void ReadEntries(const DirtyKeys& keys, const ReadView& view);

    // As one: after an error the (sub)transaction must be rolled back. Errors: PgError, Error.
    Outcome Reconcile(const DirtyKeys& keys);

  private:
    struct Pair;

    void Compare(std::vector<Pair>* pairs, Outcome* outcome);
    void WriteRows(std::vector<Pair>* pairs, Outcome* outcome);
    void WriteRowsOf(BindingTarget::Write write, const std::vector<Pair*>& pairs, Outcome* outcome);
    void WriteEntries(std::vector<Pair>* pairs, Outcome* outcome);
    Json DocumentOf(const Pair& pair) const;

    const Binding& binding_;
    const Mapping& mapping_;
    BindingTarget* target_;
};

}  // namespace kvs::pg
