#include "kvs/json/patch.h"

namespace kvs {

Json MergePatch(Json target, const Json& patch) {
    if (!patch.IsObject()) {
        return patch;
    }
    if (!target.IsObject()) {
        target = Json::FromObject({});
    }
    Json::Object& members = target.object();
    for (const auto& [key, change] : patch.object()) {
        if (change.IsNull()) {
            members.erase(key);
        } else {
            Json& member = members[key];
            member = MergePatch(std::move(member), change);
        }
    }
    return target;
}

}  // namespace kvs
