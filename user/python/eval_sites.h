/* SPDX-License-Identifier: MIT */
/*
 * Which instruction to probe, where a handler of the evaluation loop or a function begins. The kernel
 * emulates few kinds (python/x86_probe.h), and the evaluation loop has one of them, as a rule a jump,
 * a call or a push, in the straight run of code that each of its handlers begins with:
 *
 *	RESUME_CHECK:	endbr64
 *			mov    %rbp,0x38(%rbx)		every pass comes through here,
 *			mov    0x18(%r14),%rax
 *			cmp    %rax,0xa8(%rdi)
 *			jne    eval_breaker		<- probed: the first that is emulated
 *			movzwl 0x0(%rbp),%eax		and not every pass through here
 *
 * Compilers share ends of handlers, so other code may jump into the run: that is found out too.
 */
#ifndef PMT_PYTHON_EVAL_SITES_H
#define PMT_PYTHON_EVAL_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file;

#define EVAL_RUN_MAX 512 /* bytes of a run that are looked at; 150 is the longest seen */

struct eval_site {
	uint64_t start; /* of the run; link-time addresses */
	uint64_t addr;
	bool emulated; /* else it is the run's first instruction */
	bool shared;   /* hits may be of code that did not come through `start` */
	bool function; /* jumps to `start` itself are calls of it */
	uint8_t length;
	uint8_t bytes[15];
};

/* A register that must still be as it was at `start`. */
enum eval_keep { EVAL_KEEP_NONE, EVAL_KEEP_RDI, EVAL_KEEP_RSI };

/* Chooses among the instructions in code[len], which begin at start. -ENOEXEC: it is no code. */
int eval_site_choose(const uint8_t *code, size_t len, uint64_t start, enum eval_keep keep,
		     struct eval_site *ret);

/* As above, from the file. */
int eval_site_read(const struct elf_file *elf, uint64_t start, enum eval_keep keep,
		   struct eval_site *ret);

/*
 * Sets `shared` if code[len], which begins at addr with an instruction, comes into the run by a short
 * jump or by falling through.
 */
void eval_site_scan_near(const uint8_t *code, size_t len, uint64_t addr, struct eval_site *site);

/*
 * The same, and for all other jumps of the file's code. known: addresses at which instructions begin, ascending.
 * -errno: it could not be read.
 */
int eval_sites_find_shared(const struct elf_file *elf, const uint64_t *known, size_t nr_known,
			   struct eval_site *sites, size_t nr);

#endif
