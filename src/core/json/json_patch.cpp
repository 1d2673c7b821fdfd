#include <algorithm>
#include <iterator>
#include <optional>

#include "kvs/entry.h"
#include "kvs/json/patch.h"
#include "kvs/json/pointer.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

// What an operation may not do; caught where the operations are walked, which adds which one it was.
using Failure = std::optional<Error>;

Error Bad(const std::string& message) {
    return {ErrorCode::kInvalidArgument, message};
}

using Pointer = std::vector<std::string>;

// The value at `token` inside `container`, or nullptr.
Json* Child(Json& container, const std::string& token) {
    if (!container.IsArray()) {
        return container.Find(token);
    }
    std::optional<size_t> index = JsonArrayIndex(token);
    return index && *index < container.array().size() ? &container.array()[*index] : nullptr;
}

// The value that the first `depth` tokens lead to, or nullptr.
Json* Locate(Json& document, const Pointer& pointer, size_t depth) {
    Json* value = &document;
    for (size_t i = 0; i < depth && value != nullptr; i++) {
        value = Child(*value, pointer[i]);
    }
    return value;
}

// About the bytes of its text, and its levels of arrays and objects.
struct Extent {
    size_t size = 0;
    size_t nesting = 0;
};

Extent Measure(const Json& json) {
    Extent extent;
    auto add = [&extent](const Json& child) {
        Extent inner = Measure(child);
        extent.size += inner.size + 1;
        extent.nesting = std::max(extent.nesting, inner.nesting);
    };
    switch (json.kind()) {
        case Json::Kind::kNull:
        case Json::Kind::kBool:
            return {4, 0};
        case Json::Kind::kNumber:
            return {json.number_text().size(), 0};
        case Json::Kind::kString:
            return {json.string().size() + 2, 0};
        case Json::Kind::kArray:
            for (const Json& item : json.array()) {
                add(item);
            }
            break;
        case Json::Kind::kObject:
            for (const auto& [key, value] : json.object()) {
                extent.size += key.size() + 3;
                add(value);
            }
            break;
    }
    return {extent.size + 2, extent.nesting + 1};
}

// Applies operations one by one to the document it owns.
class Patcher {
  public:
    explicit Patcher(Json document) : document_(std::move(document)), size_(Measure(document_).size) {
        max_size_ = std::max(kMaxValueSize, size_);
    }

    Json TakeDocument() { return std::move(document_); }

    Failure Apply(const Json& operation) {
        if (!operation.IsObject()) {
            return Bad("it is not an object");
        }
        const Json* op = operation.Find("op");
        if (op == nullptr || !op->IsString()) {
            return Bad("it has no \"op\"");
        }
        Result<Pointer> path = ReadPointer(operation, "path");
        if (!path.ok()) {
            return path.error();
        }
        const std::string& name = op->string();
        if (name == "remove") {
            return Remove(path.value());
        }
        if (name == "move" || name == "copy") {
            Result<Pointer> from = ReadPointer(operation, "from");
            if (!from.ok()) {
                return from.error();
            }
            return name == "move" ? Move(from.value(), path.value()) : Copy(from.value(), path.value());
        }
        if (name != "add" && name != "replace" && name != "test") {
            return Bad("its \"op\" is unknown: " + Quoted(name));
        }
        const Json* value = operation.Find("value");
        if (value == nullptr) {
            return Bad("it has no \"value\"");
        }
        if (name == "add") {
            return Add(path.value(), *value);
        }
        return name == "replace" ? Replace(path.value(), *value) : Test(path.value(), *value);
    }

  private:
    static Result<Pointer> ReadPointer(const Json& operation, const char* member) {
        const Json* pointer = operation.Find(member);
        if (pointer == nullptr || !pointer->IsString()) {
            return Bad(std::string("it has no \"") + member + "\"");
        }
        return ParseJsonPointer(pointer->string());
    }

    static Error NotFound() { return Bad("its path does not exist"); }

    // Whether the document may take `value` at the depth of `path`; if so, counts it.
    Failure Grow(const Pointer& path, const Json& value) {
        Extent extent = Measure(value);
        if (path.size() + extent.nesting > static_cast<size_t>(kMaxNesting)) {
            return Error(ErrorCode::kLimitExceeded, "the document becomes nested too deeply");
        }
        if (size_ + extent.size + NameSize(path) > max_size_) {
            return Error(ErrorCode::kLimitExceeded, "the document becomes too large");
        }
        size_ += extent.size + NameSize(path);
        return {};
    }

    void Shrink(const Pointer& path, const Json& removed) {
        size_ -= std::min(size_, Measure(removed).size + NameSize(path));
    }

    // What a value at `path` adds to the text beside itself: the key, quotes, colon, comma.
    static size_t NameSize(const Pointer& path) { return path.empty() ? 0 : path.back().size() + 4; }

    Failure Add(const Pointer& path, Json value) {
        if (Failure failure = Grow(path, value)) {
            return failure;
        }
        if (path.empty()) {
            Shrink(path, document_);
            document_ = std::move(value);
            return {};
        }
        Json* parent = Locate(document_, path, path.size() - 1);
        if (parent != nullptr && parent->IsObject()) {
            auto [member, inserted] = parent->object().try_emplace(path.back());
            if (!inserted) {
                Shrink(path, member->second);
            }
            member->second = std::move(value);
            return {};
        }
        if (parent == nullptr || !parent->IsArray()) {
            return NotFound();
        }
        Json::Array& items = parent->array();
        std::optional<size_t> index = path.back() == "-" ? items.size() : JsonArrayIndex(path.back());
        if (!index || *index > items.size()) {
            return Bad("its path has no valid array index");
        }
        items.insert(items.begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
        return {};
    }

    Failure Remove(const Pointer& path) {
        Json removed;
        return TakeOut(path, &removed);
    }

    Failure TakeOut(const Pointer& path, Json* taken) {
        if (path.empty()) {
            return Bad("it would remove the whole document");
        }
        Json* parent = Locate(document_, path, path.size() - 1);
        Json* value = parent == nullptr ? nullptr : Child(*parent, path.back());
        if (value == nullptr) {
            return NotFound();
        }
        *taken = std::move(*value);
        if (parent->IsArray()) {
            parent->array().erase(parent->array().begin() + (value - parent->array().data()));
        } else {
            parent->object().erase(path.back());
        }
        Shrink(path, *taken);
        return {};
    }

    Failure Replace(const Pointer& path, Json value) {
        Json* target = Locate(document_, path, path.size());
        if (target == nullptr) {
            return NotFound();
        }
        if (Failure failure = Grow(path, value)) {
            return failure;
        }
        Shrink(path, *target);
        *target = std::move(value);
        return {};
    }

    Failure Move(const Pointer& from, const Pointer& path) {
        if (from == path) {
            return Locate(document_, from, from.size()) == nullptr ? Failure(NotFound()) : Failure();
        }
        if (path.size() > from.size() && std::equal(from.begin(), from.end(), path.begin())) {
            return Bad("it would move a value into itself");
        }
        Json value;
        if (Failure failure = TakeOut(from, &value)) {
            return failure;
        }
        return Add(path, std::move(value));
    }

    Failure Copy(const Pointer& from, const Pointer& path) {
        const Json* source = Locate(document_, from, from.size());
        return source == nullptr ? Failure(NotFound()) : Add(path, *source);
    }

    Failure Test(const Pointer& path, const Json& value) {
        const Json* target = Locate(document_, path, path.size());
        if (target == nullptr) {
            return NotFound();
        }
        if (!SameValue(*target, value)) {
            return Error(ErrorCode::kWrongState, "the test failed");
        }
        return {};
    }

    Json document_;
    size_t size_;  // an estimate: it stops documents that double with each copy
    size_t max_size_;
};

}  // namespace

Result<Json> JsonPatch(Json document, const Json& operations) {
    if (!operations.IsArray()) {
        return Bad("JSON Patch is not an array of operations");
    }
    const Json::Array& list = operations.array();
    if (list.size() > kMaxPatchOperations) {
        return Error(ErrorCode::kLimitExceeded,
                     "JSON Patch has too many operations: " + std::to_string(list.size()),
                     "It may have up to " + std::to_string(kMaxPatchOperations) + ".");
    }
    Patcher patcher(std::move(document));
    for (size_t i = 0; i < list.size(); i++) {
        if (Failure failure = patcher.Apply(list[i])) {
            return Error(failure->code(),
                         "JSON Patch operation " + std::to_string(i) + ": " + failure->what(),
                         "Operations are counted from 0; none of them was applied.");
        }
    }
    return patcher.TakeDocument();
}

}  // namespace kvs
