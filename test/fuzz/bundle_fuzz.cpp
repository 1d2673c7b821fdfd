// Any bytes as the records of a part, whose digest is made to fit: refused, or records that are written in
// the same bytes.
#include "kvs/local/openssl_hasher.h"
#include "kvs/version/bundle.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace kvs;
    OpenSslHasher hasher;
    const std::string content = std::string("kvs bundle\x01\x00", 12) + std::string(AsText(data, size));
    const Hash digest = hasher.Sha256("kvs bundle part" + std::string(Hash::kSize, '\0') + content);
    const std::string part = content + std::string(digest.AsBytes());
    BundleWriter writer(hasher);
    BundleReader reader(hasher);
    const Status status = reader.ReadPart(part, [&](const BundleRecord& record) {
        switch (record.kind) {
            case BundleRecord::Kind::kPrerequisite:
                writer.AddPrerequisite(record.hash);
                break;
            case BundleRecord::Kind::kChunk:
                writer.AddChunk(record.bytes);
                break;
            case BundleRecord::Kind::kCommit:
                writer.AddCommit(record.bytes);
                break;
            case BundleRecord::Kind::kHead:
                writer.AddHead(record.bytes, record.hash);
                break;
        }
    });
    if (status.ok()) {
        Require(writer.TakePart() == part);
    } else {
        Require(status.error().code() == ErrorCode::kCorruption);
    }
    // And as they are, with whatever digest.
    BundleReader other(hasher);
    Require(!other.ReadPart(AsText(data, size), [](const BundleRecord&) {}).ok() || size > Hash::kSize);
    return 0;
}
