#include "kvs/version/bundle.h"

#include "kvs/codec/varint.h"

namespace kvs {

namespace {

constexpr std::string_view kMagic = "kvs bundle";
constexpr std::string_view kDomain = "kvs bundle part";

Hash PartDigest(Hasher& hasher, const Hash& previous, std::string_view content) {
    std::string tagged;
    tagged.reserve(kDomain.size() + Hash::kSize + content.size());
    tagged.append(kDomain).append(previous.AsBytes()).append(content);
    return hasher.Sha256(tagged);
}

Error Corrupt(uint64_t number, const std::string& problem) {
    return {ErrorCode::kCorruption, "part " + std::to_string(number) + " of the bundle " + problem,
            "Pass all parts of one bundle in the order in which they were exported."};
}

bool ReadHash(ByteReader& reader, Hash* hash) {
    std::string_view bytes;
    if (!reader.ReadBytes(Hash::kSize, &bytes)) {
        return false;
    }
    *hash = Hash::FromBytes(bytes);
    return true;
}

// False for what is no record.
bool ReadRecord(ByteReader& reader, BundleRecord* record) {
    uint8_t kind;
    if (!reader.ReadFixed(&kind)) {
        return false;
    }
    record->kind = static_cast<BundleRecord::Kind>(kind);
    record->bytes = {};
    switch (record->kind) {
        case BundleRecord::Kind::kPrerequisite:
            return ReadHash(reader, &record->hash);
        case BundleRecord::Kind::kChunk:
        case BundleRecord::Kind::kCommit:
            return reader.ReadPrefixed(&record->bytes);
        case BundleRecord::Kind::kHead:
            return reader.ReadPrefixed(&record->bytes) && ReadHash(reader, &record->hash);
    }
    return false;
}

void AppendKind(std::string& out, BundleRecord::Kind kind) {
    AppendFixed(out, static_cast<uint8_t>(kind));
}

}  // namespace

BundleWriter::BundleWriter(Hasher& hasher) : hasher_(&hasher) {
    BeginPart();
}

void BundleWriter::BeginPart() {
    part_.assign(kMagic);
    AppendFixed(part_, kBundleVersion);
    AppendVarint(part_, number_);
}

void BundleWriter::AddPrerequisite(const Hash& commit) {
    AppendKind(part_, BundleRecord::Kind::kPrerequisite);
    part_ += commit.AsBytes();
}

void BundleWriter::AddChunk(std::string_view frame) {
    AppendKind(part_, BundleRecord::Kind::kChunk);
    AppendPrefixed(part_, frame);
}

void BundleWriter::AddCommit(std::string_view encoded) {
    AppendKind(part_, BundleRecord::Kind::kCommit);
    AppendPrefixed(part_, encoded);
}

void BundleWriter::AddHead(std::string_view name, const Hash& commit) {
    AppendKind(part_, BundleRecord::Kind::kHead);
    AppendPrefixed(part_, name);
    part_ += commit.AsBytes();
}

std::string BundleWriter::TakePart() {
    previous_ = PartDigest(*hasher_, previous_, part_);
    part_ += previous_.AsBytes();
    std::string taken = std::move(part_);
    number_++;
    BeginPart();
    return taken;
}

Status BundleReader::ReadPart(std::string_view part, const std::function<void(const BundleRecord&)>& visit) {
    if (complete_) {
        return Corrupt(number_, "comes after the last one");
    }
    if (!part.starts_with(kMagic) || part.size() < kMagic.size() + 1 + Hash::kSize) {
        return Corrupt(number_, "is not a part of a bundle");
    }
    const std::string_view content = part.substr(0, part.size() - Hash::kSize);
    ByteReader reader(content.substr(kMagic.size()));
    uint8_t version;
    uint64_t number;
    if (!reader.ReadFixed(&version) || version != kBundleVersion) {
        return Error(ErrorCode::kInvalidArgument, "unknown version of the bundle format",
                     "It was written by another version of kvs.");
    }
    if (!reader.ReadVarint(&number) || number != number_) {
        return Corrupt(number_, "is not the one that comes next");
    }
    const Hash digest = PartDigest(*hasher_, previous_, content);
    if (digest.AsBytes() != part.substr(content.size())) {
        return Corrupt(number_, "is damaged, or of another bundle");
    }
    while (!reader.AtEnd()) {
        BundleRecord record;
        if (complete_ || !ReadRecord(reader, &record)) {
            return Corrupt(number_, "holds something that is no record");
        }
        if (record.kind != BundleRecord::Kind::kPrerequisite) {
            past_prerequisites_ = true;
        } else if (past_prerequisites_) {
            return Corrupt(number_, "holds a prerequisite behind other records");
        }
        complete_ = record.kind == BundleRecord::Kind::kHead;
        visit(record);
    }
    previous_ = digest;
    number_++;
    return Ok();
}

}  // namespace kvs
