// The writer's look-ups: of one key, and of many together.
#include <optional>
#include <string_view>
#include <vector>

#include "kvs/error.h"
#include "kvs/tree/tree.h"
#include "kvs/util/quote.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/write/writer_pass.h"

namespace kvs::pg {

const DataItem* CurrentEntry::item() const {
    return previous_.Exists() ? &writer_->ItemOf(pass_) : nullptr;
}

std::string_view CurrentEntry::Payload(std::string* holder) const {
    return PayloadOf(*item(), &writer_->view_->chunks, holder);
}

DataItem CurrentEntry::InlineItem(std::string* holder) const {
    DataItem inline_item = *item();
    LoadInline(&inline_item, &writer_->view_->chunks, holder);
    return inline_item;
}

void Writer::Expect(std::span<const Datum> keys, bool with_items) {
    constexpr size_t kFew = 4;
    if (keys.size() < kFew) {
        return;
    }
    CloseView();
    Guarded([] { CommandCounterIncrement(); });
    OpenView(keys.size());
    next_expected_ = 0;
    expected_.resize(keys.size());
    Guarded([&] {
        if (expected_context_ == nullptr) {
            expected_context_ = AllocSetContextCreate(GetMemoryChunkContext(working_.slot), "kvs rows",
                                                      ALLOCSET_DEFAULT_SIZES);
        }
        MemoryContextReset(expected_context_);
        MemoryContext caller = MemoryContextSwitchTo(expected_context_);
        for (size_t i = 0; i < keys.size(); i++) {
            expected_[i].key = keys[i];
            expected_[i].has_row = FindWorking(&working_, view_->snapshot, view_->epochs, keys[i],
                                               kWorkingItem | kWorkingMeta, &expected_[i].row);
        }
        MemoryContextSwitchTo(caller);
    });
    std::vector<std::string_view> absent;
    std::vector<Expected*> of_absent;
    for (Expected& expected : expected_) {
        if (!expected.has_row) {
            absent.push_back(Contents(DatumGetPointer(expected.key)));
            of_absent.push_back(&expected);
        }
    }
    const TreePair& roots = view_->branch.working;
    Tree(view_->chunks, roots.meta_root).GetMany(absent, [&](size_t i, std::optional<std::string_view> meta) {
        of_absent[i]->meta = meta.value_or(std::string_view());
    });
    if (with_items) {
        Tree(view_->chunks, roots.data_root)
            .GetMany(absent,
                     [&](size_t i, std::optional<std::string_view> item) { of_absent[i]->item = item; });
    }
}

bool Writer::TakeExpected(Datum key, Pass* pass) {
    while (next_expected_ < expected_.size()) {
        const Expected& expected = expected_[next_expected_++];
        if (Contents(DatumGetPointer(expected.key)) == Contents(DatumGetPointer(key))) {
            pass->has_row = expected.has_row;
            pass->row = expected.row;
            pass->meta.bytes = expected.meta;
            if (expected.item) {
                pass->item.emplace().bytes = *expected.item;
            }
            return true;
        }
    }
    return false;
}

// The trees are read only if there is no working row, which would hide their entry.
void Writer::Read(Datum key, Pass* pass) {
    pass->key = key;
    if (!TakeExpected(key, pass)) {
        pass->has_row = Guarded([&] {
            return FindWorking(&working_, view_->snapshot, view_->epochs, key, kWorkingItem | kWorkingMeta,
                               &pass->row);
        });
        if (!pass->has_row) {
            const std::string_view key_bytes = Contents(DatumGetPointer(key));
            const TreePair& roots = view_->branch.working;
            if (std::optional<FoundValue> meta = Tree(view_->chunks, roots.meta_root).Get(key_bytes)) {
                pass->meta = {meta->value, std::move(meta->leaf)};
            }
        }
    }
    if (pass->has_row) {
        pass->meta.bytes = Contents(pass->row.meta);
        if (pass->row.item != nullptr) {
            pass->item.emplace().bytes = Contents(pass->row.item);
        }
    }
}

// Of a key that lives, as its metadata says.
const DataItem& Writer::ItemOf(Pass* pass) {
    if (!pass->item && !pass->has_row) {
        const Tree data(view_->chunks, view_->branch.working.data_root);
        if (std::optional<FoundValue> item = data.Get(Contents(DatumGetPointer(pass->key)))) {
            pass->item.emplace() = {item->value, std::move(item->leaf)};
        }
    }
    if (!pass->item) {
        throw Error(ErrorCode::kCorruption, "key " + Quoted(Contents(DatumGetPointer(pass->key))) +
                                                " has no value, but its metadata says "
                                                "that it lives");
    }
    if (!pass->decoded_item) {
        pass->decoded_item = DecodeDataItem(pass->item->bytes).OrThrow();
    }
    return *pass->decoded_item;
}

}  // namespace kvs::pg
