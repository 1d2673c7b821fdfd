// Reads changes by their numbers.
//
// Members of the log stay open from one read to the next. Where the numbers ascend in small steps, as those
// of a tick do, the rows come from a walk along the index, and a search is made for every few hundred only:
//
//     7 8 9 ... 60 500 12     7 is searched for, at 8 a walk begins that goes on to 60; 500 and 12 are
//                             searched for
//
// Read and Close are server code: call under Guarded. To be closed on the normal way out, in the
// subtransaction and under the resource owner of the first read.
#pragma once

#include <optional>

#include "pg/table/change_log.h"
#include "pg/table/change_members.h"
#include "pg/table/table_access.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class ChangeReader {
  public:
    explicit ChangeReader(Snapshot snapshot) : snapshot_(snapshot) {}

    // Reads the row with this number into `row`; false if there is none.
    bool Read(int64 seq, ChangeRow* row);

    // Gives back what is held. It may be read again.
    void Close();

    // Closed, with another snapshot from now on.
    void set_snapshot(Snapshot snapshot);

  private:
    // Where it is in a member.
    struct Place {
        bool is_open;
        Table table;
        int64 last;  // the number that was asked for last
        IndexScanDesc walk;
        int64 walk_length;  // the numbers that the next one is to go through; doubled each time
        int64 walk_end;     // the last number that it comes to; 0: it is over
        int64 stands;       // it is at this number, whose row is in the slot; walk_end + 1: it is at the end
    };

    bool Find(int member, int64 seq);
    bool Walk(Place* place, int64 seq);
    void Copy(const Table& member, int64 seq, ChangeRow* row);

    Snapshot snapshot_;
    std::optional<ChangeMembers> members_;
    LogEpoch epoch_;  // of the change that was read last
    Place places_[kChangeMembers] = {};
};

}  // namespace kvs::pg
