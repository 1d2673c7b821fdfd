#include "kvs/event/pattern_trie.h"

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

namespace kvs {

namespace {

using Numbers = std::vector<uint64_t>;

struct HashOfText {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

template <typename Value>
using ByText = std::unordered_map<std::string, Value, HashOfText, std::equal_to<>>;

// Takes one of the numbers out; false if it is not there.
bool Take(Numbers* numbers, uint64_t number) {
    const auto found = std::find(numbers->begin(), numbers->end(), number);
    if (found == numbers->end()) {
        return false;
    }
    *found = numbers->back();
    numbers->pop_back();
    return true;
}

// Of patterns that end in text*. A level is looked up by those of its beginnings that are as long as one of
// them.
class Prefixes {
  public:
    bool empty() const { return by_text_.empty(); }

    void Add(const std::string& text, uint64_t number) {
        by_text_[text].push_back(number);
        lengths_[text.size()]++;
    }

    bool Remove(const std::string& text, uint64_t number) {
        const auto found = by_text_.find(text);
        if (found == by_text_.end() || !Take(&found->second, number)) {
            return false;
        }
        if (found->second.empty()) {
            by_text_.erase(found);
        }
        const auto length = lengths_.find(text.size());
        if (--length->second == 0) {
            lengths_.erase(length);
        }
        return true;
    }

    void Match(std::string_view level, Numbers* numbers) const {
        for (const auto& [length, count] : lengths_) {
            if (length > level.size()) {
                return;
            }
            if (const auto found = by_text_.find(level.substr(0, length)); found != by_text_.end()) {
                numbers->insert(numbers->end(), found->second.begin(), found->second.end());
            }
        }
    }

  private:
    ByText<Numbers> by_text_;
    std::map<size_t, size_t> lengths_;  // of the texts, and how many patterns have one so long
};

}  // namespace

struct PatternTrie::Node {
    ByText<std::unique_ptr<Node>> literals;
    std::unique_ptr<Node> any;
    Prefixes prefixes;
    Numbers rest;  // of patterns that go on with #
    Numbers ends;

    bool empty() const {
        return literals.empty() && any == nullptr && prefixes.empty() && rest.empty() && ends.empty();
    }

    void Add(std::span<const Pattern::Level> levels, uint64_t number) {
        if (levels.empty()) {
            ends.push_back(number);
            return;
        }
        const Pattern::Level& level = levels.front();
        switch (level.kind) {
            case Pattern::LevelKind::kRest:
                rest.push_back(number);
                return;
            case Pattern::LevelKind::kPrefix:
                prefixes.Add(level.text, number);
                return;
            default:
                break;
        }
        std::unique_ptr<Node>& next = level.kind == Pattern::LevelKind::kLiteral ? literals[level.text] : any;
        if (next == nullptr) {
            next = std::make_unique<Node>();
        }
        next->Add(levels.subspan(1), number);
    }

    // Nodes that run empty go with what was in them.
    bool Remove(std::span<const Pattern::Level> levels, uint64_t number) {
        if (levels.empty()) {
            return Take(&ends, number);
        }
        const Pattern::Level& level = levels.front();
        switch (level.kind) {
            case Pattern::LevelKind::kRest:
                return Take(&rest, number);
            case Pattern::LevelKind::kPrefix:
                return prefixes.Remove(level.text, number);
            case Pattern::LevelKind::kLiteral: {
                const auto next = literals.find(level.text);
                if (next == literals.end() || !next->second->Remove(levels.subspan(1), number)) {
                    return false;
                }
                if (next->second->empty()) {
                    literals.erase(next);
                }
                return true;
            }
            default:
                if (any == nullptr || !any->Remove(levels.subspan(1), number)) {
                    return false;
                }
                if (any->empty()) {
                    any.reset();
                }
                return true;
        }
    }

    void Match(KeyLevels levels, Numbers* numbers) const {
        numbers->insert(numbers->end(), rest.begin(), rest.end());
        std::string_view level;
        if (!levels.Next(&level)) {
            numbers->insert(numbers->end(), ends.begin(), ends.end());
            return;
        }
        prefixes.Match(level, numbers);
        if (const auto next = literals.find(level); next != literals.end()) {
            next->second->Match(levels, numbers);
        }
        if (any != nullptr) {
            any->Match(levels, numbers);
        }
    }
};

PatternTrie::PatternTrie() : root_(std::make_unique<Node>()) {}
PatternTrie::~PatternTrie() = default;
PatternTrie::PatternTrie(PatternTrie&&) noexcept = default;
PatternTrie& PatternTrie::operator=(PatternTrie&&) noexcept = default;

void PatternTrie::Add(const Pattern& pattern, uint64_t number) {
    root_->Add(pattern.levels(), number);
    size_++;
}

bool PatternTrie::Remove(const Pattern& pattern, uint64_t number) {
    const bool was_there = root_->Remove(pattern.levels(), number);
    size_ -= was_there ? 1 : 0;
    return was_there;
}

void PatternTrie::Match(std::string_view key, std::vector<uint64_t>* numbers) const {
    root_->Match(KeyLevels(key), numbers);
}

}  // namespace kvs
