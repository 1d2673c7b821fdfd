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
        RequireBehindLast(edit.key);
        last_key_ = edit.key;
        includes_last_ = true;
        leaves_.Apply(edit);
    }

    void Splice(const Hash& source, const KeyRange& range) {
        RequireBehindLast(range.start);
        if (range.end && *range.end <= range.start) {
            throw Error(ErrorCode::kInvalidArgument,
                        "a range to take over from another tree must not be empty");
        }
        at_end_ = !range.end;
        last_key_ = range.end.value_or("");
        includes_last_ = false;
        if (source != old_.root()) {
            if (!source_ || source_->root() != source) {
                source_.emplace(old_.store(), source);
            }
            leaves_.Splice(*source_, range);
        }
    }

    Hash Finish() { return leaves_.Finish(); }

  private:
    void RequireBehindLast(std::string_view key) const {
        if (at_end_ || (includes_last_ ? key <= last_key_ : key < last_key_)) {
            throw Error(ErrorCode::kInvalidArgument, "changes to a tree must come in ascending key order");
        }
    }

    OldTree old_;
    LevelEditor leaves_;
    std::optional<OldTree> source_;
    // Up to where changes have come, and whether this key is done itself; behind all keys.
    std::string last_key_;
    bool includes_last_ = false;
    bool at_end_ = false;
};

TreeEditor::TreeEditor(NodeStore& store, const Hash& root) : impl_(std::make_unique<Impl>(store, root)) {}

TreeEditor::~TreeEditor() = default;

void TreeEditor::Put(std::string_view key, std::string_view value) {
    impl_->Apply({.key = key, .is_put = true, .value = value});
}

void TreeEditor::Delete(std::string_view key) {
    impl_->Apply({.key = key});
}

void TreeEditor::Splice(const Hash& source, const KeyRange& range) {
    impl_->Splice(source, range);
}

Hash TreeEditor::Finish() {
    return impl_->Finish();
}

}  // namespace kvs
