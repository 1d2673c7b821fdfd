#include "pg/wall/server_hasher.h"

#include "pg/wall/guard.h"

extern "C" {
#include "common/cryptohash.h"
#include "common/sha2.h"
}

namespace kvs::pg {

Hash ServerHasher::Sha256(std::string_view bytes) {
    Hash hash;
    Guarded([&] {
        pg_cryptohash_ctx* context = pg_cryptohash_create(PG_SHA256);
        const bool failed =
            context == nullptr || pg_cryptohash_init(context) < 0 ||
            pg_cryptohash_update(context, reinterpret_cast<const uint8*>(bytes.data()), bytes.size()) < 0 ||
            pg_cryptohash_final(context, hash.bytes.data(), PG_SHA256_DIGEST_LENGTH) < 0;
        if (failed) {
            ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR),
                    errmsg("could not compute a SHA-256 hash: %s", pg_cryptohash_error(context)));
        }
        pg_cryptohash_free(context);
    });
    return hash;
}

}  // namespace kvs::pg
