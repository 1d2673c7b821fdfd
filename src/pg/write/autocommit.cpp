#include "pg/write/autocommit.h"

#include <algorithm>
#include <string>
#include <vector>

#include "pg/table/branch_table.h"
#include "pg/table/hook_table.h"
#include "pg/table/locks.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/write/flush.h"

extern "C" {
#include "utils/portal.h"
}

namespace kvs::pg {

namespace {

// That go into the message of one commit.
constexpr int kMostComments = 20;

// A change of a branch at a level of subtransactions; one for each comment.
struct Change {
    Change* next;
    int32 branch;
    int level;
    const char* comment;  // null: none
};

// In the memory of the transaction, in the order in which they were made.
struct {
    bool registered;
    Change* first;
    int comments;
} transaction;

bool IsSame(const Change& change, int32 branch, int level, const char* comment) {
    return change.branch == branch && change.level == level &&
           (comment == nullptr || (change.comment != nullptr && strcmp(change.comment, comment) == 0));
}

// Lists have one change per branch and level, and few comments.
bool IsNoted(const Change* end, int32 branch, int level, const char* comment) {
    for (const Change* change = transaction.first; change != end; change = change->next) {
        if (IsSame(*change, branch, level, comment)) {
            return true;
        }
    }
    return false;
}

// A subtransaction has ended: what it has changed is its parent's, or was never changed.
void AtSubtransactionEnd(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB) {
        return;
    }
    const int level = GetCurrentTransactionNestLevel();
    for (Change** link = &transaction.first; *link != nullptr;) {
        Change* change = *link;
        const bool is_of_it = change->level >= level;
        if (is_of_it && (event == SUBXACT_EVENT_ABORT_SUB ||
                         IsNoted(change, change->branch, level - 1, change->comment))) {
            *link = change->next;
            continue;
        }
        change->level = std::min(change->level, level - 1);
        link = &change->next;
    }
}

std::string MessageOf(int32 branch) {
    std::string message;
    std::vector<std::string_view> comments;
    for (const Change* change = transaction.first; change != nullptr; change = change->next) {
        if (change->branch == branch && change->comment != nullptr &&
            std::find(comments.begin(), comments.end(), change->comment) == comments.end()) {
            comments.emplace_back(change->comment);
            message.append(message.empty() ? "" : "\n").append(change->comment);
        }
    }
    return message.empty() ? kAutocommitMessage : message;
}

// At the stricter levels, too, a commit takes the branch as it is now: the transaction reads nothing any
// more, and nobody else has changed the keys that it has written since its snapshot. But hooks do read: with
// these the branch must be the one that the snapshot shows.
FlushSession::Reads ReadsOfCommits() {
    return Guarded([] { return IsolationUsesXactSnapshot(); }) && !ReadHooks().empty()
               ? FlushSession::Reads::kOperation
               : FlushSession::Reads::kLatest;
}

void CommitBranches() {
    std::vector<int32> branches;
    for (const Change* change = transaction.first; change != nullptr; change = change->next) {
        branches.push_back(change->branch);
    }
    std::sort(branches.begin(), branches.end());
    branches.erase(std::unique(branches.begin(), branches.end()), branches.end());
    Guarded([] { PushActiveSnapshot(GetTransactionSnapshot()); });
    LockChunksForBuild();
    const FlushSession::Reads reads = ReadsOfCommits();
    for (const int32 branch : branches) {
        LockBranch(branch, ShareUpdateExclusiveLock);
        // Not if this transaction has deleted the branch since, or changed the option.
        if (IsCommittedByTransactions(branch)) {
            CommitLockedBranch(branch, MessageOf(branch), reads);
        }
    }
    Guarded([] { PopActiveSnapshot(); });
}

void AtTransactionEnd(XactEvent event, void*) {
    switch (event) {
        case XACT_EVENT_PRE_COMMIT:
        case XACT_EVENT_PRE_PREPARE:
            if (transaction.first != nullptr) {
                MemoryContext context =
                    AllocSetContextCreate(TopTransactionContext, "kvs autocommit", ALLOCSET_DEFAULT_SIZES);
                MemoryContext caller = MemoryContextSwitchTo(context);
                Enter([] { CommitBranches(); });
                // The server has closed what was open, but perhaps a hook has left a cursor.
                PreCommit_Portals(event == XACT_EVENT_PRE_PREPARE);
                MemoryContextSwitchTo(caller);
                MemoryContextDelete(context);
            }
            break;
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PREPARE:
            transaction.first = nullptr;
            transaction.comments = 0;
            break;
        default:
            break;
    }
}

}  // namespace

bool IsCommittedByTransactions(int32 branch_id) {
    Snapshot latest = RegisterLatestSnapshot();
    Branch branch;
    const bool is_there = Guarded([&] { return ReadBranch(branch_id, latest, &branch); });
    ReleaseSnapshot(latest);
    return is_there && branch.autocommit == kAutocommitTransaction;
}

void NoteAutocommit(int32 branch, std::optional<std::string_view> comment) {
    if (!transaction.registered) {
        RegisterXactCallback(AtTransactionEnd, nullptr);
        RegisterSubXactCallback(AtSubtransactionEnd, nullptr);
        transaction.registered = true;
    }
    const int level = GetCurrentTransactionNestLevel();
    MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
    char* text = nullptr;
    if (comment && !comment->empty() && transaction.comments < kMostComments) {
        text = pnstrdup(comment->data(), comment->size());
    }
    if (IsNoted(nullptr, branch, level, text)) {
        if (text != nullptr) {
            pfree(text);
        }
    } else {
        Change** link = &transaction.first;
        while (*link != nullptr) {
            link = &(*link)->next;
        }
        *link = static_cast<Change*>(palloc(sizeof(Change)));
        **link = {nullptr, branch, level, text};
        transaction.comments += text != nullptr ? 1 : 0;
    }
    MemoryContextSwitchTo(caller);
}

}  // namespace kvs::pg
