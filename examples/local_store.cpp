// The in-process store in one page: documents, versions, partial updates, and listeners that hear of every
// change. Prints what examples/local_store.expected shows.

#include <iostream>
#include <string>

#include "kvs/error.h"
#include "kvs/local/local_store.h"

namespace {

std::string TextOf(const std::optional<kvs::StoredEntry>& entry) {
    return entry.has_value() ? entry->value.payload : "(nothing)";
}

// Called in a thread of the store's own; writers never wait for it.
void PrintEvent(const std::string& listener, const kvs::ChangeEvent& event) {
    std::cout << "    [" << listener << "] " << kvs::OperationName(event.operation) << " "
              << event.serialized_key << ", version " << event.version << "\n"
              << "        old: " << TextOf(event.previous) << "\n"
              << "        new: " << TextOf(event.entry) << "\n";
}

// Everything the last step caused has been printed when this returns.
void Step(kvs::LocalStore& store, const std::string& title) {
    store.WaitForListeners();
    std::cout << "\n" << title << "\n";
}

void PrintHistory(kvs::LocalStore& store, const std::string& key) {
    for (const kvs::StoredEntry& revision : store.History(key)) {
        std::cout << "    version " << revision.metadata.version << ", "
                  << kvs::OperationName(revision.operation);
        if (revision.metadata.comment.has_value()) {
            std::cout << " (" << *revision.metadata.comment << ")";
        }
        if (!revision.metadata.deleted) {
            std::cout << ": " << revision.value.payload;
        }
        std::cout << "\n";
    }
}

}  // namespace

int main() {
    kvs::LocalStore store;
    const std::string ada = "users/active:ada";

    std::cout << "A store of JSON documents within one process. Subscribe to a key, then:\n";
    const auto stop_watching_ada =
        store.Subscribe(ada, [](const kvs::ChangeEvent& event) { PrintEvent("only ada", event); });

    Step(store, "Put a document.");
    store.Put(ada, R"({"name": "Ada", "address": {"city": "London", "zip": "W1"}})");

    Step(store, "Patch it: objects merge recursively, null removes a member. Numbers keep all their digits.");
    kvs::WriteOptions with_comment;
    with_comment.comment = "moved";
    store.Patch(ada, R"({"address": {"city": "Paris", "zip": null}, "balance": 12345678901234567890.10})",
                with_comment);
    store.WaitForListeners();
    std::cout << "    get: " << TextOf(store.Get(ada)) << "\n";

    Step(store, "Write only if nobody else has: expected_version 1 is out of date.");
    kvs::WriteOptions stale;
    stale.expected_version = 1;
    try {
        store.Put(ada, R"({"name": "Eve"})", stale);
        return 1;
    } catch (const kvs::Error& error) {
        std::cout << "    error: " << error.what() << "\n"
                  << "    hint: " << error.hint() << "\n";
    }

    Step(store, "Delete it. The version goes on, also when the key is written again.");
    store.Delete(ada);
    store.WaitForListeners();
    std::cout << "    get: " << TextOf(store.Get(ada)) << "\n";
    store.Put(ada, R"({"name": "Ada Lovelace"})");

    Step(store, "Unsubscribe, and watch every user instead.");
    stop_watching_ada();
    store.Subscribe("users/#", [](const kvs::ChangeEvent& event) { PrintEvent("all users", event); });
    store.Put("users/active:grace", R"({"name": "Grace"})");
    store.Put("settings", R"({"theme": "dark"})");  // no user: nobody listens

    Step(store, "Everything that ever happened to " + ada + ", newest first:");
    PrintHistory(store, ada);

    Step(store, "What lives under users/ now:");
    kvs::ScanRange users;
    users.prefix = "users/";
    for (const auto& [key, entry] : store.Scan(users)) {
        std::cout << "    " << key << ", version " << entry.metadata.version << ": " << entry.value.payload
                  << "\n";
    }
    return 0;
}
