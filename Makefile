# SPDX-License-Identifier: MIT
#
# libmonime.  Plain GNU make; everything that is built goes below build/.
#
#	make            the library and the command
#	make demo       see the main job done, against a sandbox on this machine
#	make check      what every change has to pass
#	make help       all targets
#
# V=1 shows the commands.

VERSION	= 0.1.0
SONAME	= libmonime.so.0

PREFIX	= /usr
LIBDIR	= $(PREFIX)/lib
LIBEXECDIR = $(PREFIX)/libexec
PAMDIR	= $(LIBDIR)/security
SYSCONFDIR = /etc
CA_PATH	= /etc/ssl/certs
DESTDIR	=

BUILD	= build
CC	= gcc
CXX	= g++
PKG_CONFIG = pkg-config
PYTHON	= /usr/bin/python3 -B
INSTALL	= install

CFLAGS	= -O2 -g
HARDEN	= -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	  -fstack-clash-protection $(HARDEN_ARCH) -Wformat -Werror=format-security
HARDEN_ARCH := $(if $(filter x86_64 i686,$(shell uname -m)),-fcf-protection)
WARN	= -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wvla \
	  -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
LDHARDEN = -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed

# SANITIZE is for `make check-asan` and its like, which build elsewhere; LEAVE
# and LIBRARY_MAP are for `make coverage`.
SANITIZE =
LEAVE	=
LIBRARY_MAP = lib/libmonime.map

Q	= $(if $(V),,@)
say	= $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

LIBS	= libcurl json-c libconfig libsodium
NEEDED	= 'libcurl >= 7.87' 'json-c >= 0.15' 'libconfig >= 1.5' libsodium
DEP_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(LIBS))
DEP_LIBS = $(shell $(PKG_CONFIG) --libs $(LIBS)) -lpthread
# The command links the lower layers by itself.
CLI_LIBS = $(shell $(PKG_CONFIG) --libs json-c libconfig libsodium) -lpthread

BASE_CFLAGS = -std=c11 $(WARN) $(HARDEN) $(SANITIZE) -fPIC \
	  -fvisibility=hidden -Iinclude -Ilib \
	  -DMONIME_FOLDER='"$(SYSCONFDIR)/monime"' \
	  -DMONIME_CA_PATH='"$(CA_PATH)"' $(DEP_CFLAGS)

# Sorted, since the order of a wildcard depends on the language of who builds.
LIB_SRC	= $(sort $(wildcard lib/*.c))
LIB_OBJ	= $(LIB_SRC:%.c=$(BUILD)/%.o)
# The base and file layers, which the command links statically and hidden.
LOW	= text error secret log safefile profile conf form keys scan
LOW_OBJ	= $(filter $(LOW:%=$(BUILD)/lib/%.o),$(LIB_OBJ))
CLI_SRC	= $(sort $(wildcard module/cli/*.c))
CLI_OBJ	= $(CLI_SRC:%.c=$(BUILD)/%.o)

UNIT	= $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
INTEGRATION = $(patsubst tests/integration/%.c,%,\
	  $(wildcard tests/integration/test_*.c))

LIBRARY	= $(BUILD)/libmonime.so.$(VERSION)
COMMAND	= $(BUILD)/monime

# What the host loads, and its helper, which sees what the command sees.
PAM_MODULE = $(BUILD)/pam_monime.so
PAM_CHECK = $(BUILD)/monime-pam-check
PAM_OBJ	= $(BUILD)/module/pam/pam_monime.o $(BUILD)/module/pam/helper.o
PAM_CHECK_OBJ = $(BUILD)/module/pam/check.o $(BUILD)/module/pam/map.o

# What is compiled in; other values, of `make install` say, compile anew.
SETTINGS = $(SYSCONFDIR) $(CA_PATH)

.PHONY: all lib cli nginx install-nginx pam install-pam install-python \
	install-go demo sandbox check check-unit check-integration \
	check-examples check-cli check-nginx check-pam check-python check-go \
	check-ffi check-asan check-tsan check-valgrind check-peers \
	check-static coverage fuzz fuzz-build fuzz-seeds fuzzers bench \
	check-faults lint install clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: lib cli

help:
	@awk '/^## / { name = $$2; sub(/^## [^ ]* */, ""); \
	    printf "%-17s  %s\n", name, $$0 }' $(MAKEFILE_LIST)

## all              the library and the command, below build/
lib: $(LIBRARY)
cli: $(COMMAND)

$(BUILD)/settings: FORCE
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --print-errors --exists $(NEEDED) || { \
	    echo 'The build needs what is named above.  packaging/need build' \
	    'installs it as root, else tells how.' >&2; exit 1; }
	@echo '$(SETTINGS)' | cmp -s - $@ || echo '$(SETTINGS)' >$@

$(BUILD)/%.o: %.c Makefile $(BUILD)/settings
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(BASE_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIBRARY): $(LIB_OBJ) $(LIBRARY_MAP)
	$(call say,LD,$@)$(CC) -shared $(CFLAGS) $(SANITIZE) $(LDHARDEN) \
	    -Wl,-soname,$(SONAME) -Wl,--version-script=$(LIBRARY_MAP) \
	    -Wl,-z,nodelete $(if $(SANITIZE),,-Wl,-z,defs) $(LDFLAGS) \
	    -o $@ $(LIB_OBJ) $(DEP_LIBS)
	$(Q)ln -sf $(@F) $(BUILD)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(BUILD)/libmonime.so

$(COMMAND): $(CLI_OBJ) $(LOW_OBJ) $(LIBRARY)
	$(call say,LD,$@)$(CC) -fPIE -pie $(CFLAGS) $(SANITIZE) $(LDHARDEN) \
	    $(LDFLAGS) -o $@ $(CLI_OBJ) $(LOW_OBJ) -L$(BUILD) -lmonime \
	    $(CLI_LIBS)

## nginx            the module, against the installed nginx
NGINX_SRC = /usr/share/nginx/src
NGINX_MODULE = $(BUILD)/nginx/ngx_http_monime_module.so
# An nginx that is not instrumented loads a module that is.
NGINX_CC_OPT = $(CFLAGS) $(HARDEN) -Wextra -Wno-unused-parameter $(SANITIZE)
NGINX_LD_OPT = -L$(abspath $(BUILD)) -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

nginx: lib
	$(Q)packaging/need build nginx
	+$(Q)CC_OPT='$(NGINX_CC_OPT)' LD_OPT='$(NGINX_LD_OPT)' V='$(V)' \
	    module/nginx/build $(NGINX_SRC) $(BUILD)/nginx

## install-nginx    the module and its manual; DESTDIR, PREFIX, NGINX_MODULES
NGINX_MODULES = $(PREFIX)/lib/nginx/modules

install-nginx: nginx
	$(INSTALL) -d $(DESTDIR)$(NGINX_MODULES) \
	    $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/doc/monime
	$(INSTALL) -m 0644 $(NGINX_MODULE) $(DESTDIR)$(NGINX_MODULES)/
	$(INSTALL) -m 0644 module/nginx/ngx_http_monime_module.8 \
	    $(DESTDIR)$(PREFIX)/share/man/man8/
	$(INSTALL) -m 0644 etc/nginx-monime.conf \
	    $(DESTDIR)$(PREFIX)/share/doc/monime/

## apache           the module, against the installed httpd
.PHONY: apache install-apache check-apache

APXS	= apxs
APACHE_MODULE = $(BUILD)/apache/mod_monime.so
APACHE_OBJ = $(patsubst %.c,$(BUILD)/%.o,\
	  $(sort $(wildcard module/apache/*.c module/*.c)))
# apxs tells one variable at a time.
APACHE_CFLAGS = -std=gnu11 -Wall -Wextra -Wshadow -Wno-unused-parameter \
	  -Wno-missing-field-initializers $(HARDEN) $(SANITIZE) -fPIC \
	  -fvisibility=hidden -Iinclude -Imodule \
	  -isystem $(shell $(APXS) -q INCLUDEDIR) \
	  $(shell $(APXS) -q EXTRA_CPPFLAGS) \
	  $(patsubst -I%,-isystem %,$(shell apr-1-config --includes) \
	  $(shell apu-1-config --includes))
APACHE_LIBS = $(shell $(PKG_CONFIG) --libs libssl libcrypto)

apache: lib
	$(Q)packaging/need build apache
	+$(Q)$(MAKE) --no-print-directory $(APACHE_MODULE)

$(BUILD)/module/apache/%.o: module/apache/%.c Makefile $(BUILD)/settings
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(APACHE_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(APACHE_MODULE): $(APACHE_OBJ) $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -shared $(CFLAGS) $(SANITIZE) $(LDHARDEN) \
	    $(LDFLAGS) -o $@ $(APACHE_OBJ) -L$(BUILD) -lmonime $(APACHE_LIBS)

## install-apache   the module and its manual; DESTDIR, PREFIX, APACHE_MODULES
APACHE_MODULES = $(shell $(APXS) -q LIBEXECDIR)

install-apache: apache
	$(INSTALL) -d $(DESTDIR)$(APACHE_MODULES) \
	    $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/doc/monime
	$(INSTALL) -m 0644 $(APACHE_MODULE) $(DESTDIR)$(APACHE_MODULES)/
	$(INSTALL) -m 0644 module/apache/mod_monime.8 \
	    $(DESTDIR)$(PREFIX)/share/man/man8/
	$(INSTALL) -m 0644 etc/apache-monime.conf \
	    $(DESTDIR)$(PREFIX)/share/doc/monime/

## pam              the PAM module and its helper
pam: $(PAM_MODULE) $(PAM_CHECK)

# Where the helper will be is known to one file alone.
$(BUILD)/settings.pam: FORCE
	@mkdir -p $(@D)
	@echo '#include <security/pam_modules.h>' | \
	    $(CC) -E -o /dev/null -xc - 2>/dev/null || { echo \
	    'Linux-PAM has no headers here.  packaging/need pam' \
	    'installs them as root, else tells how.' >&2; exit 1; }
	@echo '$(LIBEXECDIR)' | cmp -s - $@ || echo '$(LIBEXECDIR)' >$@

$(PAM_OBJ): $(BUILD)/settings.pam
$(BUILD)/module/pam/helper.o: BASE_CFLAGS += \
	  -DMONIME_PAM_CHECK='"$(LIBEXECDIR)/monime-pam-check"'

link_pam = $(call say,LD,$@)$(CC) -shared $(CFLAGS) $(SANITIZE) $(LDHARDEN) \
	  $(if $(SANITIZE),,-Wl,-z,defs) $(LDFLAGS) -o $@ $(filter %.o,$^) -lpam
link_pam_check = $(call say,LD,$@)$(CC) -fPIE -pie $(CFLAGS) $(SANITIZE) \
	  $(LDHARDEN) $(LDFLAGS) -o $@ $(filter %.o,$^) -L$(BUILD) -lmonime \
	  $(CLI_LIBS)

$(PAM_MODULE): $(PAM_OBJ)
	$(link_pam)

$(PAM_CHECK): $(PAM_CHECK_OBJ) $(LOW_OBJ) $(LIBRARY)
	$(link_pam_check)

# The library as it lies in the build folder, for those who ask pkg-config.
UNINSTALLED = $(BUILD)/pkgconfig/monime.pc

$(UNINSTALLED): lib/monime.pc.in Makefile
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(CURDIR)|' -e 's|@LIBDIR@|$(abspath $(BUILD))|' \
	    -e 's|@VERSION@|$(VERSION)|' $< >$@

## install-go       the Go package's sources; DESTDIR, PREFIX, GOCODE
GOCODE = $(PREFIX)/share/gocode/src/libmonime/monime

install-go:
	$(INSTALL) -d $(DESTDIR)$(GOCODE)
	$(INSTALL) -m 0644 module/go/go.mod module/go/*.go module/go/*.[ch] \
	    $(DESTDIR)$(GOCODE)/

## install-python   monime.py and its manual; DESTDIR, PREFIX, PYTHONDIR
# Where Debian's own packages go; elsewhere, where the interpreter says.
PYTHONDIR = $(shell $(PYTHON) -c 'import sysconfig as s; \
    print(s.get_path("purelib", *[n for n in ("deb_system", "posix_prefix") \
    if n in s.get_scheme_names()][:1], vars={"base": "$(PREFIX)"}))')

install-python:
	$(INSTALL) -d $(DESTDIR)$(PYTHONDIR) $(DESTDIR)$(PREFIX)/share/man/man3
	$(INSTALL) -m 0644 module/python/monime.py $(DESTDIR)$(PYTHONDIR)/
	$(INSTALL) -m 0644 module/python/monime-python.3 \
	    $(DESTDIR)$(PREFIX)/share/man/man3/

## demo             install what is missing, build, start the sandbox, show
demo:
	$(Q)packaging/need build demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) tests/demo/run

## sandbox          both APIs on loopback, and a profile ready to use
sandbox:
	$(Q)packaging/need demo
	$(Q)BUILD=$(BUILD) tests/sandbox/start $(BUILD)

# Tests: one program for each file with rules, linked with the objects so that
# what is hidden can be tested; and programs that see the built library alone.

TEST_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARN) -Wno-conversion \
	  -Wno-sign-conversion -Wno-write-strings $(SANITIZE) -Iinclude -Ilib -Itests/support \
	  -DTESTS_DIR='"$(CURDIR)/tests"' -DBUILD_DIR='"$(abspath $(BUILD))"' \
	  -DMONIME_FOLDER='"$(SYSCONFDIR)/monime"' \
	  -DMONIME_CA_PATH='"$(CA_PATH)"' \
	  -g -O1 $(DEP_CFLAGS)
SUPPORT	= $(BUILD)/tests/support/sandbox.o

$(BUILD)/tests/%.o: tests/%.c Makefile $(BUILD)/settings
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(TEST_CFLAGS) -MMD -MP -c -o $@ $<

# What a test puts in the place of a function, to make it fail or to move time.
LDFLAGS_test_safefile = -Wl,--wrap=openat,--wrap=fstat,--wrap=readlinkat \
	  -Wl,--wrap=read,--wrap=mn_secret_new

LDFLAGS_test_profile = -Wl,--wrap=malloc,--wrap=calloc,--wrap=strdup \
	  -Wl,--wrap=sodium_malloc
LDFLAGS_test_webhook = -Wl,--wrap=time
LDFLAGS_test_loop = -Wl,--wrap=clock_gettime,--wrap=epoll_ctl,--wrap=realloc
LDFLAGS_test_resolve = -Wl,--wrap=curl_version_info
# They include the file of lib/ whose static functions they test.
LDFLAGS_test_transfer = -Wl,-z,muldefs
LDFLAGS_test_metrics = -Wl,-z,muldefs -Wl,--export-dynamic
# The compiler makes other branches of it where it optimizes.
$(BUILD)/tests/unit/test_transfer.o $(BUILD)/tests/unit/test_metrics.o: \
    TEST_CFLAGS += -O0
LDFLAGS_test_denied = -Wl,--wrap=curl_global_init,--wrap=time \
	  -Wl,--wrap=clock_gettime,--wrap=epoll_ctl,--wrap=socket
LDFLAGS_test_attack_call = -Wl,--wrap=malloc,--wrap=strdup

# Their clock_gettime() is the library's, too: living.h.
LDFLAGS_test_oauth2 = -Wl,--export-dynamic
LDFLAGS_test_rotation = -Wl,--export-dynamic
LDFLAGS_test_bench = -Wl,--export-dynamic
LDFLAGS_test_peers = -Wl,--export-dynamic
LDFLAGS_test_verdict_life = -Wl,--export-dynamic
# Its malloc(), free() and realloc() are.
LDFLAGS_test_wiped = -Wl,--export-dynamic
# Not linked with the library, which it loads.
LDFLAGS_test_host = -Wl,--as-needed

LDFLAGS_test_remembered = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
LDFLAGS_test_verdicts = -Wl,--wrap=malloc,--wrap=calloc \
	  -Wl,--wrap=clock_gettime,--wrap=gettimeofday,--wrap=time,--wrap=syscall

# What the modules of web servers share.
$(BUILD)/tests/unit/test_refusal: $(BUILD)/module/refusal.o
$(BUILD)/tests/unit/test_refusal.o: TEST_CFLAGS += -Imodule

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIB_OBJ) $(LEAVE)
	$(call say,LD,$@)$(CC) $(SANITIZE) $(LDFLAGS_$(@F)) -o $@ $^ \
	    $(DEP_LIBS) -lcmocka

# Measured as it is shipped; what more than one of them needs is in these two.
BENCH_HELP = $(BUILD)/tests/bench/bench.o $(BUILD)/tests/bench/bare.o
BENCH_BIN = $(filter-out $(BENCH_HELP:.o=),$(patsubst %.c,$(BUILD)/%,\
	  $(wildcard tests/bench/*.c)))

$(BENCH_BIN:=.o) $(BENCH_HELP): TEST_CFLAGS += -O2

$(BENCH_BIN): %: %.o $(BENCH_HELP) $(SUPPORT) $(LIBRARY)
	$(call say,LD,$@)$(CC) $(SANITIZE) -o $@ $(filter %.o,$^) -L$(BUILD) \
	    -lmonime -Wl,-rpath,$(abspath $(BUILD)) -lcurl -ljson-c -lsodium \
	    -lpthread

# Nothing is fetched, and nothing written outside the build folder.
GO	= GOENV=off GOPROXY=off GOWORK=off GOFLAGS=-mod=mod \
	  GOCACHE=$(abspath $(BUILD))/go/cache GOPATH=$(abspath $(BUILD))/go/path \
	  PKG_CONFIG_PATH=$(abspath $(BUILD))/pkgconfig CC='$(CC)' go
BENCH_GO = $(BUILD)/tests/bench/bindings-go

$(BENCH_GO): $(wildcard tests/bench/go/* module/go/*) $(LIBRARY) $(UNINSTALLED)
	@mkdir -p $(@D)
	$(call say,GO,$@)cd tests/bench/go && \
	    CGO_LDFLAGS=-Wl,-rpath,$(abspath $(BUILD)) \
	    $(GO) build -o $(abspath $@) .

# Examples are the manual's own: what is there is what is compiled.
EXAMPLES = poll libevent
EXAMPLE_BIN = $(EXAMPLES:%=$(BUILD)/tests/examples/%)
LIBS_libevent = $(shell $(PKG_CONFIG) --libs libevent_core)

$(BUILD)/tests/examples/%: tests/examples/%.c include/monime.h $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) -std=gnu11 -Wall -Wextra -Wshadow $(SANITIZE) \
	    $(CFLAGS) -Iinclude -o $@ $< -L$(BUILD) -lmonime \
	    -Wl,-rpath,$(abspath $(BUILD)) $(LIBS_$(@F))

# monime.h in languages that the library is not written in.
FFI_BIN	= $(BUILD)/tests/ffi/gateway-cpp \
	  $(if $(shell command -v rustc),$(BUILD)/tests/ffi/gateway-rs)

$(BUILD)/tests/ffi/gateway-cpp: tests/ffi/gateway.cpp include/monime.h $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,CXX,$<)$(CXX) -std=c++17 -Wall -Wextra -Wshadow -Werror \
	    $(CFLAGS) -fsanitize=address,undefined -Iinclude -o $@ $< \
	    -L$(BUILD) -lmonime -Wl,-rpath,$(abspath $(BUILD))

$(BUILD)/tests/ffi/gateway-rs: tests/ffi/gateway.rs include/monime.h $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,RUSTC,$<)rustc --edition 2021 -D warnings -O -o $@ $< \
	    -L native=$(BUILD) -C link-arg=-Wl,-rpath,$(abspath $(BUILD))

UNIT_BIN = $(UNIT:%=$(BUILD)/tests/unit/%)
INTEGRATION_BIN = $(INTEGRATION:%=$(BUILD)/tests/integration/%)
PEERS_BIN = $(BUILD)/tests/peers/test_peers

$(INTEGRATION_BIN) $(PEERS_BIN): $(BUILD)/tests/%: $(BUILD)/tests/%.o \
    $(SUPPORT) $(LIBRARY) $(LEAVE)
	$(call say,LD,$@)$(CC) $(SANITIZE) $(LDFLAGS_$(@F)) -o $@ \
	    $(filter %.o,$^) -L$(BUILD) -lmonime \
	    -Wl,-rpath,$(abspath $(BUILD)) -lcurl -ljson-c -lcmocka -lpthread

## check            install what is missing, build, test, lint
check:
	$(Q)packaging/need build check lint nginx apache host host-apache pam \
	    host-pam host-python go ffi abi
	$(Q)$(MAKE) --no-print-directory all check-unit check-integration \
	    check-examples check-cli check-nginx check-apache check-pam \
	    check-python check-go check-ffi abi lint
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/failures.py
	@echo 'check: all passed'

## check-unit       the rules, file by file
check-unit: $(UNIT_BIN)
	$(Q)tests/run $(UNIT_BIN)

## check-integration  the built library against the sandbox
check-integration: $(INTEGRATION_BIN) $(COMMAND)
	$(Q)$(PYTHON) tests/sandbox/test_sandbox.py
	$(Q)tests/run $(INTEGRATION_BIN)

## check-examples   the event loops of monime(3) against the sandbox
check-examples: $(EXAMPLE_BIN)
	$(Q)BUILD=$(BUILD) tests/examples/run

## check-cli        the installed command against the sandbox
check-cli: all
	$(Q)BUILD=$(BUILD) tests/cli/run

## check-nginx      the module in a real nginx; VALGRIND=1: under valgrind
check-nginx: nginx
	$(Q)packaging/need check nginx host $(if $(VALGRIND),valgrind)
	$(Q)BUILD=$(BUILD) SANITIZE='$(SANITIZE)' tests/host/run nginx

## check-apache     the module in a real httpd; VALGRIND=1: under valgrind
check-apache: apache
	$(Q)packaging/need check apache host host-apache \
	    $(if $(VALGRIND),valgrind)
	$(Q)BUILD=$(BUILD) SANITIZE='$(SANITIZE)' tests/host/run apache

## check-go         the Go package against the sandbox, under the race detector
check-go: lib $(UNINSTALLED)
	$(Q)packaging/need build host go
	$(Q)BUILD=$(BUILD) CC='$(CC)' tests/host/go/run

## check-ffi        the examples in C++ and, where rustc is there, in Rust
check-ffi:
	$(Q)packaging/need build host ffi
	$(Q)$(MAKE) --no-print-directory $(FFI_BIN)
	$(Q)BUILD=$(BUILD) tests/ffi/run $(FFI_BIN)
	$(if $(filter %-rs,$(FFI_BIN)),,@echo '  SKIP    gateway-rs: no rustc')

## check-python     monime.py against the sandbox
check-python: lib
	$(Q)packaging/need check host-python
	$(Q)BUILD=$(BUILD) SANITIZE='$(SANITIZE)' tests/host/python/run

## check-peers      OAuth 2.0 against the servers of others, which npm installs
check-peers:
	$(Q)packaging/need build check
	$(Q)tests/peers/run $(BUILD)/peers; s=$$?; \
	    test $$s -eq 3 && exit 0; test $$s -eq 0 || exit $$s; \
	    $(MAKE) --no-print-directory $(PEERS_BIN) && \
	    tests/run $(PEERS_BIN)

# The same objects; where the helper is looked for is changed as they are linked.
PAM_TESTS = $(BUILD)/tests/host/pam
PAM_TESTS_BUILT = $(PAM_TESTS)/pam_monime.so $(PAM_TESTS)/monime-pam-check \
	  $(PAM_TESTS)/login $(PAM_TESTS)/crowd $(PAM_TESTS)/faults.so \
	  $(PAM_TESTS)/window.so $(PAM_TESTS)/patience.so

$(PAM_TESTS)/place.o: private TEST_CFLAGS += -fPIC -fvisibility=hidden
$(PAM_TESTS)/pam_monime.so: private LDFLAGS += -Wl,--wrap=posix_spawn
$(PAM_TESTS)/pam_monime.so: $(PAM_OBJ) $(PAM_TESTS)/place.o
	$(link_pam)

$(PAM_TESTS)/monime-pam-check: private LDFLAGS += -Wl,-rpath,$(abspath $(BUILD))
$(PAM_TESTS)/monime-pam-check: $(PAM_CHECK_OBJ) $(LOW_OBJ) $(LIBRARY)
	$(link_pam_check)

$(PAM_TESTS)/login $(PAM_TESTS)/crowd: %: %.o $(PAM_TESTS)/broker.o \
    $(BUILD)/tests/support/descriptor.o $(BUILD)/tests/support/calls.o
	$(call say,LD,$@)$(CC) $(SANITIZE) -Wl,--export-dynamic -o $@ $^ \
	    -lpam -lpthread

$(PAM_TESTS)/%.so: tests/host/pam/%.c Makefile
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu11 -Wall -Wextra -g -O1 -fPIC -shared \
	    -o $@ $<

## check-pam        the PAM module: rules, faults, su; VALGRIND=1: under valgrind
check-pam: all pam $(PAM_TESTS_BUILT)
	$(Q)packaging/need check pam host-pam $(if $(CI),host-sshd) \
	    $(if $(VALGRIND),valgrind)
	$(Q)BUILD=$(BUILD) SANITIZE='$(SANITIZE)' tests/host/pam/run $(PAM_SUITE)

# What makes calls fail stands before all libraries that they go to.
FAULTS	= $(BUILD)/tests/faults
FAULTS_OBJ = $(FAULTS)/faults.o $(FAULTS)/scenarios.o $(SUPPORT) \
	  $(BUILD)/tests/support/calls.o $(BUILD)/tests/support/descriptor.o \
	  $(LEAVE)

$(FAULTS)/inject.so: tests/faults/inject.c tests/faults/inject.h Makefile
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(filter-out -fsanitize=%,$(TEST_CFLAGS)) \
	    -U_FORTIFY_SOURCE -fPIC -shared -Wl,-soname,inject.so -o $@ $<

$(FAULTS)/faults: $(FAULTS_OBJ) $(FAULTS)/inject.so $(LIBRARY)
	$(call say,LD,$@)$(CC) $(SANITIZE) -o $@ $(FAULTS_OBJ) \
	    -Wl,--no-as-needed -L$(FAULTS) -l:inject.so -L$(BUILD) -lmonime \
	    -Wl,-rpath,$(abspath $(FAULTS)):$(abspath $(BUILD)) \
	    -lcurl -ljson-c -lsodium -lpthread

## check-faults     what can fail does in turn; MONIME_FAULTS=all: at every point
check-faults: $(if $(SANITIZE),,all nginx apache) $(FAULTS)/faults
	$(Q)packaging/need build check nginx apache host
	$(Q)BUILD=$(BUILD) SANITIZE='$(SANITIZE)' $(PYTHON) tests/faults/run

# What is attacked and what is soaked, each linked with what it may see.
.PHONY: check-attack soak
VICTIMS	= $(BUILD)/tests/attack/victim $(BUILD)/tests/soak/soak
COMPARE	= $(BUILD)/tests/attack/compare
OWNERS	= $(BUILD)/tests/attack/owners.so

$(VICTIMS): %: %.o $(LIBRARY)
	$(call say,LD,$@)$(CC) $(SANITIZE) -o $@ $< -L$(BUILD) -lmonime \
	    -Wl,-rpath,$(abspath $(BUILD)) -lpthread

$(COMPARE): %: %.o $(BUILD)/module/pam/map.o $(LOW_OBJ)
	$(call say,LD,$@)$(CC) $(SANITIZE) -o $@ $^ $(CLI_LIBS)

# It stands in the place of malloc(), whose calls are not to be optimized.
$(OWNERS): tests/attack/owners.c Makefile
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu11 -Wall -Wextra -g -O1 -fno-builtin \
	    -fPIC -shared -o $@ $<

## check-attack     hostile servers, bearers and users; secrets sought everywhere
check-attack: all nginx apache pam $(PAM_TESTS_BUILT) $(VICTIMS) $(COMPARE) \
    $(OWNERS)
	$(Q)packaging/need check nginx apache pam host host-pam attack
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/attack/run

## soak             an hour of everything together; MONIME_SOAK_SECONDS
soak: lib nginx apache $(VICTIMS)
	$(Q)packaging/need check nginx apache host
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/soak/run

## check-asan       tests under the address, undefined and leak sanitizers
# The helper of PAM has no environment: what halts is compiled in.
check-asan:
	$(Q)packaging/need build check nginx apache host host-apache pam \
	    host-pam host-python
	$(Q)ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 \
	    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	    $(MAKE) --no-print-directory BUILD=$(BUILD)/asan \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE' \
	    CFLAGS='-O1 -g' HARDEN= all check-unit check-integration \
	    check-examples check-cli check-nginx check-apache check-pam \
	    check-python
	@echo 'check-asan: all passed'

## check-tsan       what has threads under the thread sanitizer
TSAN_TESTS = test_events test_threads test_oauth2 test_bench test_handle \
	  test_probes test_verdict_life
check-tsan:
	$(Q)packaging/need build check apache host host-apache \
	    pam host-pam
	$(Q)TSAN_OPTIONS=halt_on_error=0:exitcode=66:second_deadlock_stack=1 \
	    MONIME_TESTS_SLOW=1 \
	    $(MAKE) --no-print-directory BUILD=$(BUILD)/tsan \
	    SANITIZE='-fsanitize=thread -U_FORTIFY_SOURCE' CFLAGS='-O1 -g' \
	    HARDEN= INTEGRATION='$(TSAN_TESTS)' PAM_SUITE=threads \
	    check-integration check-apache check-pam
	@echo 'check-tsan: all passed'

## check-valgrind   the unit tests under valgrind
check-valgrind:
	$(Q)packaging/need build check valgrind
	$(Q)$(MAKE) --no-print-directory $(UNIT_BIN)
	$(Q)VALGRIND=1 tests/run $(UNIT_BIN)

## check-static     what gcc's and clang's analyzers find; minutes
check-static:
	$(Q)packaging/need build static
	$(Q)tests/static/run

## coverage         what of lib/ the tests run; tests/coverage has what they do not
COVERED	= $(BUILD)/coverage

$(BUILD)/counts.map: lib/libmonime.map
	@mkdir -p $(@D)
	$(Q)sed 's/^global:/&\n\tmn_dump_counts;/' $< >$@

# Some tests become another user, who could make no file there.
.PHONY: covered
covered: all $(UNIT_BIN) $(INTEGRATION_BIN) $(FAULTS)/faults
	$(Q)find $(BUILD) -name '*.gcno' -exec sh -c \
	    'install -m 0666 /dev/null "$${1%gcno}gcda"' - {} ';'
	$(Q)$(MAKE) --no-print-directory check-unit check-integration check-cli
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/coverage/run

coverage:
	$(Q)packaging/need build check coverage
	$(Q)rm -rf $(COVERED)
	$(Q)$(MAKE) --no-print-directory BUILD=$(COVERED) \
	    SANITIZE='--coverage -fprofile-update=atomic' CFLAGS='-O0 -g' \
	    HARDEN= LDFLAGS=-Wl,--defsym,mn_dump_counts=__gcov_dump \
	    LEAVE=$(COVERED)/tests/coverage/leave.o \
	    LIBRARY_MAP=$(COVERED)/counts.map covered

## fuzz             each fuzzer, or TARGETS; SECONDS each, JOBS at once
SECONDS	= 60
JOBS	= 1
FUZZ_CC	= clang-14
FUZZERS	= $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
TARGETS	= $(FUZZERS)
FUZZ_BIN = $(TARGETS:%=$(BUILD)/tests/fuzz/%)

# They include the file of lib/ whose static functions they test.
FUZZ_INCLUDES_headers = transfer
FUZZ_INCLUDES_oauth = oauth2
FUZZ_INCLUDES_request = request
FUZZ_INCLUDES_webhook = webhook

FUZZ_BESIDES_pam_map = $(BUILD)/module/pam/map.o
FUZZ_BESIDES_pam_pipe = $(BUILD)/module/pam/map.o

LDFLAGS_fuzz_pam_map = -Wl,--wrap=mn_safefile_read
LDFLAGS_fuzz_safefile = -Wl,--wrap=getuid,--wrap=geteuid \
	  -Wl,--wrap=getgid,--wrap=getegid
LDFLAGS_fuzz_webhook = -Wl,--wrap=time

.SECONDEXPANSION:
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(LIB_OBJ) $$(FUZZ_BESIDES_$$*)
	$(call say,LD,$@)$(CC) $(SANITIZE) -fsanitize=fuzzer \
	    $(LDFLAGS_fuzz_$(@F)) -o $@ $(filter-out \
	    $(FUZZ_INCLUDES_$(@F):%=$(BUILD)/lib/%.o),$^) $(DEP_LIBS) -ldl

fuzzers: $(FUZZ_BIN)

fuzz-build:
	$(if $(filter-out $(FUZZERS),$(TARGETS)),$(error TARGETS: there is no\
	    $(filter-out $(FUZZERS),$(TARGETS)); there are $(sort $(FUZZERS))))
	$(Q)packaging/need build fuzz
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=$(FUZZ_CC) \
	    SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' \
	    CFLAGS='-O1 -g' HARDEN= WARN=-Wall fuzzers

fuzz: fuzz-build
	$(Q)tests/fuzz/run $(BUILD)/fuzz $(SECONDS) $(JOBS) $(TARGETS)

## fuzz-seeds       keep what they learned here for those who start afresh
fuzz-seeds: fuzz-build
	$(Q)tests/fuzz/run $(BUILD)/fuzz keep $(TARGETS)

## bench            what the library costs beside libcurl alone; minutes
bench:
	$(Q)packaging/need build nginx apache host-apache bench go
	$(Q)$(MAKE) --no-print-directory $(BENCH_BIN) $(BENCH_GO) nginx apache
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/bench/run

## lint             manual, header, exports and tables agree; layers; style
lint:
	$(Q)packaging/need build lint
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) CC=$(CC) tests/lint/run

## install          library, header, command; DESTDIR, PREFIX, LIBDIR, SYSCONFDIR
install: all
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig \
	    $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/bin \
	    $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/man/man3 \
	    $(DESTDIR)$(PREFIX)/share/man/man5 \
	    $(DESTDIR)$(PREFIX)/share/doc/monime/profiles \
	    $(DESTDIR)$(PREFIX)/share/doc/monime/systemd \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(INSTALL) -m 0755 $(LIBRARY) $(DESTDIR)$(LIBDIR)/
	ln -sf $(notdir $(LIBRARY)) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libmonime.so
	$(INSTALL) -m 0644 include/monime.h $(DESTDIR)$(PREFIX)/include/
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' lib/monime.pc.in \
	    > $(DESTDIR)$(LIBDIR)/pkgconfig/monime.pc
	chmod 0644 $(DESTDIR)$(LIBDIR)/pkgconfig/monime.pc
	$(INSTALL) -m 0755 $(COMMAND) $(DESTDIR)$(PREFIX)/bin/
	$(INSTALL) -m 0644 module/cli/monime.1 \
	    $(DESTDIR)$(PREFIX)/share/man/man1/
	$(INSTALL) -m 0644 lib/monime.3 $(DESTDIR)$(PREFIX)/share/man/man3/
	$(INSTALL) -m 0644 etc/monime.conf.5 \
	    $(DESTDIR)$(PREFIX)/share/man/man5/
	$(INSTALL) -m 0644 etc/profiles/*.conf \
	    $(DESTDIR)$(PREFIX)/share/doc/monime/profiles/
	$(INSTALL) -m 0644 etc/systemd/* \
	    $(DESTDIR)$(PREFIX)/share/doc/monime/systemd/
	$(INSTALL) -m 0644 module/cli/monime.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/monime
	$(INSTALL) -d -m 0755 $(DESTDIR)$(SYSCONFDIR)/monime
	$(INSTALL) -d -m 0700 $(DESTDIR)$(SYSCONFDIR)/monime/test \
	    $(DESTDIR)$(SYSCONFDIR)/monime/live
	test -e $(DESTDIR)$(SYSCONFDIR)/monime/monime.conf || \
	    $(INSTALL) -m 0644 etc/monime.conf $(DESTDIR)$(SYSCONFDIR)/monime/
	test -n '$(DESTDIR)' || test "$$(id -u)" -ne 0 || /sbin/ldconfig || :

## install-pam      the PAM module besides: PAMDIR, LIBEXECDIR
install-pam: install pam
	$(INSTALL) -d $(DESTDIR)$(PAMDIR) $(DESTDIR)$(LIBEXECDIR) \
	    $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/doc/monime/pam
	$(INSTALL) -m 0644 $(PAM_MODULE) $(DESTDIR)$(PAMDIR)/
	$(INSTALL) -m 0755 $(PAM_CHECK) $(DESTDIR)$(LIBEXECDIR)/
	$(INSTALL) -m 0644 module/pam/pam_monime.8 \
	    $(DESTDIR)$(PREFIX)/share/man/man8/
	$(INSTALL) -m 0644 etc/pam.d-monime etc/pam_users \
	    $(DESTDIR)$(PREFIX)/share/doc/monime/pam/

## clean            takes build/ away
clean:
	rm -rf $(BUILD)

include packaging/packaging.mk

-include $(shell find $(addprefix $(BUILD)/,lib module tests) -name '*.d' \
    2>/dev/null)
