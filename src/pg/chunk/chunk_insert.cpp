#include "pg/chunk/chunk_insert.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

constexpr int kFirstLooks = 8;
constexpr int kLooksAfterFind = 64;
constexpr size_t kWorthSubtransaction = 32;

// In the order of their addresses: who waits for one of them holds only such as lie before it.
void Sort(std::vector<NewChunk>* chunks) {
    const auto head = [](const NewChunk& chunk) {
        uint64_t word;
        memcpy(&word, chunk.address->bytes.data(), sizeof(word));
        return pg_ntoh64(word);
    };
    std::sort(chunks->begin(), chunks->end(), [&](const NewChunk& a, const NewChunk& b) {
        const uint64_t head_of_a = head(a);
        const uint64_t head_of_b = head(b);
        return head_of_a != head_of_b ? head_of_a < head_of_b : *a.address < *b.address;
    });
}

}  // namespace

// Chunks are mostly new, or mostly there already: a store that is imported a second time. Addresses lie in no
// order of contents, so that the first of them are a fair sample. If none of these was there, the others are
// inserted together in a subtransaction, which is rolled back if the index says that one of them may be there
// nevertheless. So nobody waits here while he holds rows behind the one that he waits for, and nobody else
// waits for rows that will not be. One by one, a row is taken back by itself.
void InsertChunks(std::vector<NewChunk> chunks) {
    Sort(&chunks);
    Table table = Guarded([] { return OpenChunksForWrite(); });
    int looks = kFirstLooks;
    bool together = true;
    for (std::span<const NewChunk> rest = chunks; !rest.empty(); rest = rest.subspan(1)) {
        if (together && looks == 0 && rest.size() >= kWorthSubtransaction) {
            if (KeepSubtransaction([&] { return Guarded([&] { return InsertChunkRows(&table, rest); }); })) {
                break;
            }
            together = false;
        }
        const NewChunk& chunk = rest.front();
        const bool inserted =
            Guarded([&] { return InsertChunkRow(&table, *chunk.address, chunk.frame, looks > 0); });
        looks = inserted ? std::max(looks - 1, 0) : kLooksAfterFind;
    }
    Guarded([&] {
        Close(&table);
        CommandCounterIncrement();
    });
}

}  // namespace kvs::pg
