#include "pg/write/restore.h"

#include <optional>
#include <string>

#include "kvs/entry/expiry.h"
#include "kvs/entry/write_decision.h"
#include "kvs/error.h"
#include "kvs/pattern/pattern.h"
#include "pg/read/ref_resolver.h"
#include "pg/read/view_diff.h"
#include "pg/table/commit_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/wall/snapshot.h"
#include "pg/write/writer.h"

namespace kvs::pg {

namespace {

// What a key is to become. The payload is at hand, also that of a blob.
struct Target {
    std::optional<DataItem> item;  // nullopt: absent
    Metadata metadata;             // of the item
    std::string blob;
};

// What the key was on the far side of the diff. An entry whose time is over by now is absent now.
void ReadTarget(ViewDiff* diff, Timestamp now, Target* target) {
    const DataItem* item = diff->to_item();
    target->item.reset();
    if (item == nullptr || IsExpired(item->expires_at, now)) {
        return;
    }
    target->item = *item;
    target->item->payload = diff->LoadPayload(*item, &target->blob);
    target->item->blob.reset();
    target->metadata = DecodeMetadata(diff->to_meta()).OrThrow();
}

bool Holds(const CurrentEntry& current, const Target& target) {
    const DataItem* item = current.item();
    if (item == nullptr) {
        return false;
    }
    std::string blob;
    const Metadata& metadata = *current.previous().metadata();
    return item->type == target.item->type && item->expires_at == target.item->expires_at &&
           metadata.tags == target.metadata.tags && metadata.schema_hash == target.metadata.schema_hash &&
           current.Payload(&blob) == target.item->payload;
}

WriteRequest RequestFor(const Target& target, const std::string& author) {
    WriteRequest request{.kind = WriteKind::kDelete, .operation = Operation::kRestore};
    request.options.modified_by = author;
    request.options.origin = SessionOrigin();
    if (target.item) {
        request.kind = WriteKind::kPut;
        request.expires_at = target.item->expires_at;
        request.options.tags = target.metadata.tags;
        request.options.schema_hash = target.metadata.schema_hash.value_or("");
    }
    return request;
}

}  // namespace

int64 RestoreKeys(std::string_view pattern_text, std::string_view ref, std::string_view branch_name) {
    const Pattern pattern = Pattern::Parse(pattern_text).OrThrow();
    Writer writer(branch_name);
    // Taken behind the writer's lock, so that it sees what an operation did that the lock had to wait for.
    Branch branch;
    Snapshot snapshot = Guarded([&] {
        Snapshot taken = RegisterOperationSnapshot();
        RequireBranch(writer.branch_id(), taken, &branch);
        return taken;
    });
    const Timestamp now = FromServerTime(GetCurrentTimestamp());
    const ReadView live{snapshot, ReadableEpochs(branch), branch.working, now};
    ViewDiff diff(live, ViewOf(ResolveRef(ref, branch.name, snapshot), snapshot), &pattern);
    MemoryContext context = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs restore", ALLOCSET_SMALL_SIZES); });
    const std::string author = AuthorName({});
    Target target;
    int64 restored = 0;
    while (diff.Next()) {
        ReadTarget(&diff, now, &target);
        const Datum key = Guarded([&] {
            MemoryContextReset(context);
            MemoryContext caller = MemoryContextSwitchTo(context);
            const Datum datum = MakeVarlena(diff.key());
            MemoryContextSwitchTo(caller);
            return datum;
        });
        // The writer looks at the key once more, because it may have changed since the diff.
        const Written written = writer.Update(
            key, RequestFor(target, author),
            [&](const CurrentEntry& current) { return Holds(current, target) ? std::nullopt : target.item; });
        restored += written.changed() ? 1 : 0;
    }
    Guarded([&] {
        MemoryContextDelete(context);
        ReleaseSnapshot(snapshot);
    });
    writer.Finish();
    return restored;
}

}  // namespace kvs::pg
