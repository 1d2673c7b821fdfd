// Which of many patterns match a key: a trie over levels, so that a key costs what it has levels and what
// matches it, however many patterns there are.
//
// A node stands for the levels that were taken from the key; literal levels lead on by their text, + and
// {name} by one edge. At a node lie the patterns that end there, those that go on with # (the rest, which may
// be nothing), and those that go on with a prefix. user:+, user:12*, user:# and user:1/a:
//
//     (root) --user--> o  #: user:#   prefixes: 12 -> user:12*
//                      |--1--> o --a--> o  ends: user:1/a
//                      +--+--> o  ends: user:+
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "kvs/pattern/pattern.h"

namespace kvs {

// Patterns with a number each that the owner gives them. Not for several threads at once, but for those that
// only read.
class PatternTrie {
  public:
    PatternTrie();
    ~PatternTrie();
    PatternTrie(PatternTrie&&) noexcept;
    PatternTrie& operator=(PatternTrie&&) noexcept;

    // The same pattern may be there under several numbers, and under one number several patterns.
    void Add(const Pattern& pattern, uint64_t number);

    // False if it is not there.
    bool Remove(const Pattern& pattern, uint64_t number);

    // Appends the numbers of all patterns that match the serialised key, in no order; one that is there under
    // several patterns may come several times.
    void Match(std::string_view key, std::vector<uint64_t>* numbers) const;

    // How many patterns were added and not removed.
    size_t size() const { return size_; }

  private:
    struct Node;

    std::unique_ptr<Node> root_;
    size_t size_ = 0;
};

}  // namespace kvs
