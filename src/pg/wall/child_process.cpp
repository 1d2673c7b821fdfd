#include "pg/wall/child_process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "pg/wall/guard.h"
#include "pg/wall/server.h"

extern "C" {
#include "storage/latch.h"
#include "storage/pg_shmem.h"
#include "utils/wait_event.h"
}

namespace kvs::pg {

namespace {

// The child's side. It leaves by _exit: what runs at a backend's exit is not its to run.
[[noreturn]] void Run(const std::function<std::string()>& body, int pipe) {
    PGSharedMemoryDetach();
    // A known crash needs no core file.
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    try {
        const std::string result = body();
        std::string_view rest = result;
        while (!rest.empty()) {
            const ssize_t written = write(pipe, rest.data(), rest.size());
            if (written < 0) {
                _exit(EXIT_FAILURE);
            }
            rest.remove_prefix(static_cast<size_t>(written));
        }
    } catch (...) {
        _exit(EXIT_FAILURE);
    }
    _exit(EXIT_SUCCESS);
}

// The parent's side. Whatever happens, no process and no descriptor is left behind.
class Child {
  public:
    explicit Child(const std::function<std::string()>& body) {
        int ends[2];
        if (pipe(ends) != 0) {
            Fail("create a pipe");
        }
        pipe_ = ends[0];
        // The server's handlers are not to run in the child, so it begins with all signals held back.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        pid_ = fork();
        if (pid_ == 0) {
            for (int signal = 1; signal < NSIG; signal++) {
                std::signal(signal, SIG_DFL);
            }
            sigprocmask(SIG_SETMASK, &before, nullptr);
            Run(body, ends[1]);
        }
        const int error = errno;
        sigprocmask(SIG_SETMASK, &before, nullptr);
        close(ends[1]);
        if (pid_ < 0) {
            close(pipe_);
            errno = error;
            Fail("fork a process");
        }
        fcntl(pipe_, F_SETFL, O_NONBLOCK);
    }
    ~Child() {
        close(pipe_);
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            Wait();
        }
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    // All that it writes.
    std::string Read() {
        std::string result;
        char buffer[8192];
        for (;;) {
            const ssize_t count = read(pipe_, buffer, sizeof(buffer));
            if (count == 0) {
                return result;
            }
            if (count > 0) {
                result.append(buffer, static_cast<size_t>(count));
                continue;
            }
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
                Fail("read from a pipe");
            }
            Guarded([&] {
                const int wanted = WL_SOCKET_READABLE | WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
                if ((WaitLatchOrSocket(MyLatch, wanted, pipe_, -1, PG_WAIT_EXTENSION) & WL_LATCH_SET) != 0) {
                    ResetLatch(MyLatch);
                }
                CHECK_FOR_INTERRUPTS();
            });
        }
    }

    // How it ended, as waitpid tells it.
    int Wait() {
        int status = 0;
        while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = 0;
        return status;
    }

  private:
    [[noreturn]] static void Fail(const char* what) {
        const int code = errno == ENOMEM ? ERRCODE_OUT_OF_MEMORY : ERRCODE_INSUFFICIENT_RESOURCES;
        Guarded([&] { ereport(ERROR, errcode(code), errmsg("could not %s: %m", what)); });
        pg_unreachable();
    }

    pid_t pid_ = 0;
    int pipe_ = -1;
};

}  // namespace

std::string InChildProcess(const std::function<std::string()>& body) {
    Child child(body);
    std::string result = child.Read();
    const int status = child.Wait();
    if (status != 0) {
        Guarded([&] {
            // A cancel is sent to both.
            CHECK_FOR_INTERRUPTS();
            ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
                    errdetail("A process that computes for this one ended early: %s.",
                              wait_result_to_str(status)));
        });
    }
    return result;
}

}  // namespace kvs::pg
