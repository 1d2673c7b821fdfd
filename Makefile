# kvs: versioned, reactive JSON documents inside PostgreSQL.
#
#   make                 builds kvs.so against the PostgreSQL of PG_CONFIG
#   make install         installs the extension into that PostgreSQL (as root, or: sudo make install)
#   make installcheck    pg_regress and isolation tests on the running server of PGHOST and PGPORT
#   make check           the whole set-up and every test on clusters of its own; needs root or sudo
#   make demo            the whole set-up and the guided tour on real data; needs root or sudo
#   make bench           ratios against plain PostgreSQL
#   make stress          the long forms of the tests
#   make valgrind        the regression tests on a server under valgrind
#   make format, lint    clang-format in place; the static checks of CI
#   make setup           only the Debian packages
#
# An out-of-tree build: cd SOMEWHERE && make -f PATH/TO/kvs/Makefile

PG_CONFIG ?= pg_config
KVS_ROOT := $(patsubst %/,%,$(dir $(realpath $(firstword $(MAKEFILE_LIST)))))

# Goals that bring their own set-up. They must work before PostgreSQL's build files are on the machine, and
# PGXS has a "check" of its own, so they are kept apart from the rules that need PGXS.
WORKFLOWS := setup check demo bench stress valgrind format lint

ifneq ($(filter $(WORKFLOWS),$(MAKECMDGOALS)),)

.PHONY: $(MAKECMDGOALS)

setup:
	$(KVS_ROOT)/scripts/setup.sh

check:
	$(KVS_ROOT)/scripts/check.sh

demo:
	$(KVS_ROOT)/scripts/run-demo.sh

bench:
	$(KVS_ROOT)/scripts/run-bench.sh

stress:
	$(KVS_ROOT)/scripts/check.sh --stress

valgrind:
	$(KVS_ROOT)/scripts/valgrind.sh

format:
	$(KVS_ROOT)/scripts/lint.sh --format

lint:
	$(KVS_ROOT)/scripts/lint.sh

ifneq ($(filter-out $(WORKFLOWS),$(MAKECMDGOALS)),)
$(filter-out $(WORKFLOWS),$(MAKECMDGOALS)):
	+$(MAKE) -f $(KVS_ROOT)/Makefile $@
endif

else

EXTENSION = kvs
MODULE_big = kvs
DATA = $(patsubst $(KVS_ROOT)/%,%,$(sort $(wildcard $(KVS_ROOT)/sql/kvs--*.sql)))

# src/local, the store without a server, stays out: it brings its own SHA-256, locks and storage.
SOURCES := $(sort $(wildcard $(addprefix $(KVS_ROOT)/src/, \
    *.cpp core/*/*.cpp pg/*/*.cpp remote/*.cpp sqlapi/*.cpp fdw/*.cpp worker/*.cpp)))
OBJS := $(SOURCES:$(KVS_ROOT)/src/%.cpp=build/%.o)

SHLIB_LINK = -Wl,--version-script=$(KVS_ROOT)/src/kvs.map -lstdc++ -Wl,--as-needed -lzstd -lxxhash $(libpq)
PG_CPPFLAGS = -I$(libpq_srcdir)

# test/regress/expected is a link to expected/, where PGXS has it: PostgreSQL 15 looks for it beside sql/.
REGRESS := $(patsubst $(KVS_ROOT)/test/regress/sql/%.sql,%,$(sort $(wildcard $(KVS_ROOT)/test/regress/sql/*.sql)))
REGRESS_OPTS = --inputdir=$(KVS_ROOT)/test/regress --load-extension=kvs --encoding=UTF8 --outputdir=build
ISOLATION := $(patsubst $(KVS_ROOT)/test/isolation/specs/%.spec,%, \
    $(sort $(wildcard $(KVS_ROOT)/test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(KVS_ROOT)/test/isolation --load-extension=kvs --encoding=UTF8 \
    --outputdir=build/isolation
REGRESS_PREP = build/isolation/.exists

EXTRA_CLEAN = build

# Bitcode is for inlining functions into expressions compiled just in time; ours reach into the storage.
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) not found: run "make setup", or install the postgresql-server-dev package of 15 to 18)
endif
include $(PGXS)

# PGXS would also look for objects in the source tree when built out of tree.
VPATH =
vpath %.control $(KVS_ROOT)

# Everything but PGXS's own warning flags, which are for C and for one compiler. The server's headers come in
# as system headers, so that their warnings are not ours.
# g++ takes the unset alternatives of std::variant and std::optional for uninitialised (GCC bug 80635).
ifeq ($(findstring clang,$(CXX)),)
override KVS_CXXFLAGS += -Wno-maybe-uninitialized
endif
override CXXFLAGS := -std=c++20 -O2 -g -Wall -Wextra -Werror -fno-strict-aliasing -fwrapv \
    -fstack-protector-strong -fno-omit-frame-pointer -fPIC -fvisibility=hidden -fvisibility-inlines-hidden \
    $(KVS_CXXFLAGS)
override CPPFLAGS := -I$(KVS_ROOT)/include -I$(KVS_ROOT)/src $(patsubst -I/%,-isystem /%, \
    $(filter-out -I. -I./ -I$(srcdir),$(CPPFLAGS))) '-DPGDLLEXPORT=__attribute__((visibility("default")))'

build/%.o: $(KVS_ROOT)/src/%.cpp $(KVS_ROOT)/Makefile
	@$(MKDIR_P) $(@D)
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$(MODULE_big)$(DLSUFFIX): $(KVS_ROOT)/src/kvs.map

build/isolation/.exists:
	@$(MKDIR_P) $(@D) && touch $@

# What each object was compiled from, written by the compiler.
-include $(OBJS:.o=.d)

endif
