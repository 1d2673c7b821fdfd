#include "pg/wall/durability.h"

#include "pg/wall/settings.h"

namespace kvs::pg {

namespace {

// The commit reads synchronous_commit when it happens, so that is when the setting has to hold: it is set
// just before the commit and put back right after it, whatever the transaction did to its settings meanwhile.
struct {
    bool registered;
    bool wrote;
    bool replaced;
    int session_value;
} state;

void Restore() {
    if (state.replaced) {
        synchronous_commit = state.session_value;
        state.replaced = false;
    }
    state.wrote = false;
}

void OnTransactionEnd(XactEvent event, void*) {
    switch (event) {
        case XACT_EVENT_PRE_COMMIT:
        case XACT_EVENT_PRE_PREPARE:
            if (state.wrote) {
                const bool strict = settings.durability == kDurabilityStrict;
                const bool is_off = synchronous_commit == SYNCHRONOUS_COMMIT_OFF;
                if (strict == is_off) {
                    state.session_value = synchronous_commit;
                    state.replaced = true;
                    synchronous_commit = strict ? SYNCHRONOUS_COMMIT_ON : SYNCHRONOUS_COMMIT_OFF;
                }
            }
            break;
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PREPARE:
            Restore();
            break;
        default:
            break;
    }
}

}  // namespace

void NoteWrite() {
    if (!state.registered) {
        RegisterXactCallback(OnTransactionEnd, nullptr);
        state.registered = true;
    }
    state.wrote = true;
}

}  // namespace kvs::pg
