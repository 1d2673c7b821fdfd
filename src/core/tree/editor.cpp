#include "kvs/tree/editor.h"

#include <optional>
#include <string>

#include "kvs/entry.h"
#include "kvs/error.h"
#include "level_editor.h"

namespace kvs {

class TreeEditor::Impl {
  public:
    Impl(NodeStore& store, const Hash& root) : old_(store, root), leaves_(old_, 0) {}

    void Apply(const ItemEdit& edit) {
        if (edit.key.size() > kMaxKeySize) {
            throw Error(ErrorCode::kLimitExceeded, "key of " + std::to_string(edit.key.size()) +
                                                       " bytes exceeds the limit of " +
                                                       std::to_string(kMaxKeySize) + " bytes");
        }
        if (edit.value.size() > kMaxItemValueSize) {
            throw Error(ErrorCode::kLimitExceeded,
                        "value of " + std::to_string(edit.value.size()) + " bytes exceeds the limit of " +
                            std::to_string(kMaxItemValueSize) + " bytes inside a leaf");
        }
        if (any_ && edit.key <= last_key_) {
            throw Error(ErrorCode::kInvalidArgument, "changes to a tree must come in ascending key order");
        }
        any_ = true;
        last_key_ = edit.key;
        leaves_.Apply(edit);
    }

    Hash Finish() { return leaves_.Finish(); }

  private:
    OldTree old_;
    LevelEditor leaves_;
    bool any_ = false;
    std::string last_key_;
};

TreeEditor::TreeEditor(NodeStore& store, const Hash& root) : impl_(std::make_unique<Impl>(store, root)) {}

TreeEditor::~TreeEditor() = default;

void TreeEditor::Put(std::string_view key, std::string_view value) {
    impl_->Apply({.key = key, .is_put = true, .value = value});
}

void TreeEditor::Delete(std::string_view key) {
    impl_->Apply({.key = key});
}

Hash TreeEditor::Finish() {
    return impl_->Finish();
}

}  // namespace kvs
