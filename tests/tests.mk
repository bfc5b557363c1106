# SPDX-License-Identifier: MIT
# How the tests are built and run; included by the Makefile.

unit_sources := $(wildcard tests/unit/test_*.c)
unit_tests := $(unit_sources:tests/unit/%.c=$(B)/tests/unit/%)

# One binary per file; each may use every layer of user/ but main.
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(user_objects)
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ -lcmocka $(libs)

.PRECIOUS: $(B)/tests/unit/%.o

# --- BPF: needs root; run from the top of the tree --------------------------------------------
bpf_sources_tests := $(wildcard tests/bpf/test_*.c)
bpf_tests := $(bpf_sources_tests:tests/bpf/%.c=$(B)/tests/bpf/%)
bpf_test_objects := $(B)/tests/bpf/bpf_test.o $(filter $(B)/user/trace/% $(B)/user/base/% \
	$(B)/user/model/%,$(user_objects))

$(B)/tests/bpf/%.o: our_cflags += -Itests/bpf
$(B)/tests/bpf/%.o: | $(B)/pymemtrace.skel.h

$(B)/tests/bpf/fake_interp: $(B)/tests/bpf/fake_interp.o
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@

$(B)/tests/bpf/test_%: $(B)/tests/bpf/test_%.o $(bpf_test_objects) | $(B)/tests/bpf/fake_interp
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ -lcmocka -lbpf -lelf -lz

.PRECIOUS: $(B)/tests/bpf/%.o
