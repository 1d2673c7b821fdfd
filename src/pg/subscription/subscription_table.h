// Durable subscriptions, _kvs.subscription: what each wants, and where it began. What its members have is in
// member_table.h, which events are set aside in aside_table.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/stream/event_reader.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct Subscription {
    int32 id = 0;
    std::string name;
    int32 generation = 0;  // counts kvs.seek
    int64 start_pos = 0;   // the generation begins with the event behind it
    std::string pattern;
    std::optional<int32> branch;          // nullopt: all
    std::vector<std::string> operations;  // empty: all
    std::optional<int32> max_deliveries;
    bool holds_key = true;  // a parked event holds the later ones of its key
    std::optional<int32> max_in_flight;
    std::string creator;

    EventFilter Filter() const;
    // Whether the operations have that of the reader's event.
    bool Wants(const EventReader& event) const;
};

// As it is committed now. Errors: kUnknownRef.
Subscription FindSubscription(std::string_view name);

// The same for who consumes it: it is not dropped until the transaction ends. Errors: also 55P03.
Subscription UseSubscription(std::string_view name);

// As it is committed now, of one that is in use.
Subscription ReadAgain(const Subscription& subscription);

// Creates it; `id`, `generation` and `creator` are set here. Errors: kAlreadyExists, kInvalidArgument.
void CreateSubscription(Subscription subscription);

// False if there is none of that name. Errors: 42501 unless the current role has the privileges of its
// creator or of the extension's owner; 55P03 while it is consumed.
bool DropSubscription(std::string_view name);

bool HasSubscription(std::string_view name);

// Moves it: what its members have does not count any more. Errors: 42501, kUnknownRef.
void SeekSubscription(std::string_view name, int64 pos);

// The position behind which lies all that a durable subscription may ask for; nullopt: there is none.
std::optional<int64> NeededBySubscriptions();

}  // namespace kvs::pg
