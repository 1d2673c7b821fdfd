#include "pg/chunk/pack_reader.h"

#include <utility>

#include "kvs/tree/chunk.h"
#include "pg/chunk/dictionary_cache.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/server_hasher.h"

namespace kvs::pg {

namespace {

constexpr size_t kSharedBytes = size_t{8} << 20;

}  // namespace

PackReader& PackReader::Get() {
    static PackReader* reader = nullptr;
    if (reader == nullptr) {
        reader = new PackReader(kSharedBytes);
    }
    return *reader;
}

const PackReader::Entry* PackReader::FindCached(const PackVersion& version) const {
    for (const Entry& entry : entries_) {
        if (entry.version == version) {
            return &entry;
        }
    }
    return nullptr;
}

const PackReader::Entry* PackReader::Keep(const Candidate& candidate, Pack pack, size_t stored_size) {
    bytes_ += pack.raw_size();
    entries_.push_front({candidate.version, std::make_shared<const Pack>(std::move(pack)), stored_size});
    while (bytes_ > cached_bytes_ && entries_.size() > 1) {
        bytes_ -= entries_.back().pack->raw_size();
        entries_.pop_back();
    }
    return &entries_.front();
}

// Server code.
int PackReader::FindCandidates(int64 prefix, Snapshot snapshot, Candidate* candidates) const {
    int found = 0;
    PackTable packs = OpenPacks(AccessShareLock);
    ForEachPackOf(&packs, prefix, snapshot, [&] {
        PackRow row = ReadPackRow(&packs, false);
        for (int i = 0; i < row.count && found < kMaxCandidates; i++) {
            if (row.addresses[i] != prefix) {
                continue;
            }
            struct varlena* body = nullptr;
            // Of several candidates one might push another out of what is kept.
            if (found > 0 || FindCached(row.version) == nullptr) {
                body = CopyPackBody(&packs);
            }
            candidates[found++] = {row.version, i, row.count, body};
        }
        FreePackRow(&row);
        return found == kMaxCandidates;
    });
    ClosePacks(&packs);
    return found;
}

// The pack of a candidate, whose body is freed; null with the problem. The first candidate is kept, or has a
// body, and each further one has one.
const PackReader::Entry* PackReader::Unpack(const Candidate& candidate, std::string* problem) {
    const Entry* entry = FindCached(candidate.version);
    if (entry == nullptr) {
        Result<Pack> pack = codec_.Decode(Contents(candidate.body), &DictionaryCache::Get());
        if (pack.ok()) {
            entry = Keep(candidate, std::move(pack).value(), Contents(candidate.body).size());
        } else {
            *problem = pack.error().what();
        }
    }
    if (entry != nullptr && entry->pack->count() != static_cast<size_t>(candidate.count)) {
        *problem = "its pack has " + std::to_string(entry->pack->count()) + " members, not " +
                   std::to_string(candidate.count);
        entry = nullptr;
    }
    if (candidate.body != nullptr) {
        pfree(candidate.body);
    }
    return entry;
}

std::optional<PackedChunk> PackReader::Read(const Hash& address, Snapshot snapshot) {
    Candidate candidates[kMaxCandidates];
    const int found = Guarded([&] { return FindCandidates(PackPrefix(address), snapshot, candidates); });
    std::optional<PackedChunk> chunk;
    for (int i = 0; i < found; i++) {
        const Candidate& candidate = candidates[i];
        std::string problem;
        const Entry* entry = Unpack(candidate, &problem);
        if (chunk && chunk->problem.empty()) {
            continue;
        }
        if (entry != nullptr) {
            const std::string_view raw = entry->pack->Member(static_cast<size_t>(candidate.member));
            ServerHasher hasher;
            const Hash is = ChunkAddress(hasher, raw);
            if (is == address) {
                chunk = PackedChunk{std::string(raw),
                                    {},
                                    ShareOfPack(entry->stored_size, raw.size(), entry->pack->raw_size()),
                                    candidate.version.inserter};
                continue;
            }
            if (PackPrefix(is) == PackPrefix(address)) {
                continue;  // another chunk, whose address begins like this one
            }
            problem = "it does not hash to its address";
        }
        chunk = PackedChunk{{}, problem, 0, candidate.version.inserter};
    }
    return chunk;
}

TransactionId PackReader::Inserter(const Hash& address, Snapshot snapshot) {
    return Guarded([&] {
        TransactionId inserter = InvalidTransactionId;
        PackTable packs = OpenPacks(AccessShareLock);
        ForEachPackOf(&packs, PackPrefix(address), snapshot, [&] {
            bool is_null;
            inserter = DatumGetTransactionId(
                slot_getsysattr(packs.table.slot, MinTransactionIdAttributeNumber, &is_null));
            return true;
        });
        ClosePacks(&packs);
        return inserter;
    });
}

}  // namespace kvs::pg
