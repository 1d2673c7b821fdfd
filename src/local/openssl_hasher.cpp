#include "kvs/local/openssl_hasher.h"

#include <openssl/evp.h>

#include <memory>
#include <new>
#include <stdexcept>

namespace kvs {

namespace {

struct ContextDeleter {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct DigestDeleter {
    void operator()(EVP_MD* digest) const { EVP_MD_free(digest); }
};

// Looking up the algorithm and allocating a context cost more than hashing a small chunk, so both are kept.
class ThreadDigest {
  public:
    ThreadDigest() : digest_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
        if (!digest_) {
            throw std::runtime_error("OpenSSL offers no SHA-256");
        }
        if (!context_) {
            throw std::bad_alloc();
        }
    }

    Hash Sha256(std::string_view bytes) {
        Hash hash;
        if (EVP_DigestInit_ex2(context_.get(), digest_.get(), nullptr) != 1 ||
            EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1 ||
            EVP_DigestFinal_ex(context_.get(), hash.bytes.data(), nullptr) != 1) {
            throw std::runtime_error("OpenSSL could not compute a SHA-256");
        }
        return hash;
    }

  private:
    std::unique_ptr<EVP_MD, DigestDeleter> digest_;
    std::unique_ptr<EVP_MD_CTX, ContextDeleter> context_;
};

}  // namespace

Hash OpenSslHasher::Sha256(std::string_view bytes) {
    thread_local ThreadDigest digest;
    return digest.Sha256(bytes);
}

}  // namespace kvs
