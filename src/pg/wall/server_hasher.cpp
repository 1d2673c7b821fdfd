#include "pg/wall/server_hasher.h"

#include "pg/wall/guard.h"

extern "C" {
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "utils/resowner.h"
}

namespace kvs::pg {

namespace {

// Made once per backend: with OpenSSL, making a context and looking its digest up costs more than to hash a
// commit. The server gives a context to the resource owner that is current, and frees it with that; this one
// gets an owner of its own, which lives as long as the backend. An error here is no matter: the abort sets
// the current owner.
pg_cryptohash_ctx* KeptContext() {
    static pg_cryptohash_ctx* context = nullptr;
    static ResourceOwner owner = nullptr;
    if (context == nullptr) {
        if (owner == nullptr) {
            owner = ResourceOwnerCreate(nullptr, "kvs digest");
        }
        ResourceOwner caller = CurrentResourceOwner;
        CurrentResourceOwner = owner;
        context = pg_cryptohash_create(PG_SHA256);
        CurrentResourceOwner = caller;
    }
    return context;
}

}  // namespace

Hash ServerHasher::Sha256(std::string_view bytes) {
    Hash hash;
    Guarded([&] {
        pg_cryptohash_ctx* context = KeptContext();
        const bool failed =
            context == nullptr || pg_cryptohash_init(context) < 0 ||
            pg_cryptohash_update(context, reinterpret_cast<const uint8*>(bytes.data()), bytes.size()) < 0 ||
            pg_cryptohash_final(context, hash.bytes.data(), PG_SHA256_DIGEST_LENGTH) < 0;
        if (failed) {
            ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR),
                    errmsg("could not compute a SHA-256 hash: %s", pg_cryptohash_error(context)));
        }
    });
    return hash;
}

}  // namespace kvs::pg
