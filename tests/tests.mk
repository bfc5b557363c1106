# SPDX-License-Identifier: MIT
# How the tests are built and run; included by the Makefile.

unit_sources := $(wildcard tests/unit/test_*.c)
unit_tests := $(unit_sources:tests/unit/%.c=$(B)/tests/unit/%)

# One binary per file; each may use every layer of user/ but main, and links what it uses.
$(B)/user.a: $(user_objects)
	$(call msg,AR,$@)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(unit_sources:%.c=$(B)/%.o): | $(proto_headers)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ -lcmocka $(libs)

# --- BPF: needs root; run from the top of the tree --------------------------------------------
bpf_sources_tests := $(wildcard tests/bpf/test_*.c)
bpf_tests := $(bpf_sources_tests:tests/bpf/%.c=$(B)/tests/bpf/%)
bpf_test_helpers := bpf_test call_scene fake_calls fake_layout
bpf_test_objects := $(bpf_test_helpers:%=$(B)/tests/bpf/%.o) $(filter $(B)/user/trace/% $(B)/user/base/% \
	$(B)/user/model/%,$(user_objects))

$(B)/tests/bpf/%.o: our_cflags += -Itests/bpf
$(bpf_test_helpers:%=$(B)/tests/bpf/%.o) $(bpf_sources_tests:%.c=$(B)/%.o): | $(B)/pymemtrace.skel.h

$(B)/tests/bpf/fake_interp: $(B)/tests/bpf/fake_interp.o
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@

$(B)/tests/bpf/test_%: $(B)/tests/bpf/test_%.o $(bpf_test_objects) | $(B)/tests/bpf/fake_interp
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ -lcmocka -lbpf -lelf -lz -lm


# --- fuzzing: corpora replayed by gcc in every run, exploration with clang on demand ------------
# One harness per tests/fuzz/fuzz_NAME.c, its corpus in tests/fuzz/corpus/NAME.
FUZZ_SECONDS	?= 60
fuzz_names	:= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_user	:= $(filter-out user/trace/% user/cmd/%,$(user_sources))
fuzz_libs	:= $(filter-out -lbpf -lcap,$(libs)) -lz
fuzz_sanitize	:= -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
fuzz_clang_rt	= $(wildcard $(shell $(CLANG) -print-resource-dir)/lib/linux/libclang_rt.fuzzer-*.a)

$(B)/fuzz/gcc/%.o: %.c $(B)/flags
	$(call msg,CC,$@)
	@mkdir -p $(@D)
	$(Q)gcc $(our_cflags) -O1 -g $(fuzz_sanitize) -MMD -MP -c $< -o $@

$(B)/fuzz/clang/%.o: %.c $(B)/flags
	$(call msg,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(our_cflags) -O1 -g $(fuzz_sanitize) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(B)/fuzz/gcc/user/output/profile_svg.o $(B)/fuzz/clang/user/output/profile_svg.o: | \
	$(B)/output/profile_svg.css.inc $(B)/output/profile_svg.js.inc
$(foreach c,gcc clang,$(fuzz_user:%.c=$(B)/fuzz/$(c)/%.o) \
	$(fuzz_names:%=$(B)/fuzz/$(c)/tests/fuzz/fuzz_%.o)): | $(proto_headers)

# an archive: each harness links only what it uses
$(B)/fuzz/gcc/user.a: $(fuzz_user:%.c=$(B)/fuzz/gcc/%.o) $(proto_objects)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/fuzz/clang/user.a: $(fuzz_user:%.c=$(B)/fuzz/clang/%.o) $(proto_objects)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/fuzz/replay_%: $(B)/fuzz/gcc/tests/fuzz/fuzz_%.o $(B)/fuzz/gcc/tests/fuzz/regress_main.o \
		$(B)/fuzz/gcc/user.a
	$(call msg,LD,$@)
	$(Q)gcc $(fuzz_sanitize) $^ -o $@ $(fuzz_libs)

$(B)/fuzz/explore_%: $(B)/fuzz/clang/tests/fuzz/fuzz_%.o $(B)/fuzz/clang/user.a
	$(call msg,LD,$@)
	$(Q)$(CLANG) $(fuzz_sanitize) -fsanitize=fuzzer $^ -o $@ $(fuzz_libs)

.PRECIOUS: $(B)/fuzz/gcc/%.o $(B)/fuzz/clang/%.o

fuzz-replay: $(fuzz_names:%=$(B)/fuzz/replay_%)	## replay the fuzzing corpora (ASan, UBSan)
	@for n in $(fuzz_names); do \
		$(B)/fuzz/replay_$$n tests/fuzz/corpus/$$n >$(B)/fuzz/$$n.log 2>&1 || \
			{ tail -40 $(B)/fuzz/$$n.log; echo "fuzz_$$n: FAILED"; exit 1; }; \
		echo "fuzz_$$n: $$(grep -c ^tests/ $(B)/fuzz/$$n.log) inputs"; \
	done

# Finds go to $(B)/fuzz/found; an input worth keeping is copied to the corpus by hand.
fuzz:	## explore with libFuzzer, FUZZ_SECONDS for each harness
ifeq ($(filter fuzz,$(MAKECMDGOALS)),fuzz)
ifeq ($(fuzz_clang_rt),)
	@echo "fuzz: $(CLANG) has no libFuzzer: install libclang-rt-14-dev (or that of its version)" >&2
	@false
else
fuzz: $(fuzz_names:%=$(B)/fuzz/explore_%)
	@for n in $(fuzz_names); do \
		mkdir -p $(B)/fuzz/found/$$n && echo "fuzz_$$n: $(FUZZ_SECONDS) s" && \
		$(B)/fuzz/explore_$$n -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024 -timeout=10 \
			-max_len=65536 -verbosity=0 -artifact_prefix=$(B)/fuzz/found/$$n- \
			$(B)/fuzz/found/$$n tests/fuzz/corpus/$$n || exit 1; \
	done
endif
endif

.PHONY: fuzz fuzz-replay

# Recorded memory for tests/unit/test_walk.c, made anew from the interpreters of this machine.
$(B)/record_walk: $(B)/tests/tools/record_walk.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ $(libs)

record-walks: $(B)/record_walk	## record the walker's fixtures anew: WALKS="pyenv-3.12*" (as root)
	$(Q)tests/tools/record-walks.sh $< $(WALKS)

.PHONY: record-walks

# What tests/live/test_account compares with the kernel and with the interpreter.
$(B)/print_account: $(B)/tests/tools/print_account.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ $(libs)

tests: $(B)/print_account

# What tests/live/test_cgroup compares with the kernel's own files.
$(B)/print_cgroup: $(B)/tests/tools/print_cgroup.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ $(libs)

tests: $(B)/print_cgroup

# What tests/live/test_frames compares with the interpreter's own word.
$(B)/print_frames: $(B)/tests/tools/print_frames.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ $(libs)

# What tests/live/test_glibc compares with mallinfo2() of the process itself.
$(B)/print_glibc: $(B)/tests/tools/print_glibc.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ $(libs)

tests: $(B)/print_glibc

# What docs/entry-and-exit.md is made of.
$(B)/print_sites: $(B)/tests/tools/print_sites.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ $(libs)

tests: $(B)/print_sites

# Recordings for the golden tests and the fuzzer, made anew when the format grows.
$(B)/write_pmt: $(B)/tests/tools/write_pmt.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ $(libs)

record-pmt: $(B)/write_pmt	## write the recordings of the golden tests and the fuzzer anew
	$(Q)$< steps >tests/golden/data/steps.pmt
	$(Q)for n in whole steps empty; do $< $$n >tests/fuzz/corpus/pmt/$$n || exit 1; done

.PHONY: record-pmt

# The same of explanations.
$(B)/write_explanation: $(B)/tests/tools/write_explanation.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ -lcmocka $(libs)

record-explanations: $(B)/write_explanation	## write the explanations of the golden tests and the fuzzer anew
	$(Q)for n in a b; do $< $$n >tests/golden/data/explain.$$n.json || exit 1; done
	$(Q)for n in full bare; do $< $$n >tests/fuzz/corpus/json/explanation-$$n || exit 1; done

.PHONY: record-explanations

# Profiles made by hand, in every format, for tests/unit/test_svg and tests/formats.
tests: $(B)/sample_profile

$(B)/sample_profile: $(B)/tests/tools/sample_profile.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ $(libs)

# Pictures of memory made by hand, for tests/unit/test_map and tests/formats.
tests: $(B)/sample_map

$(B)/sample_map: $(B)/tests/tools/sample_map.o $(B)/user.a
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(ldflags) $(LDFLAGS) $^ -o $@ $(libs)
