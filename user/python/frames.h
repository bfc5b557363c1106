/* SPDX-License-Identifier: MIT */
/*
 * What every thread of an interpreter runs, read from outside: the frames that
 * sys._current_frames() would show. The walker of the BPF programs goes by the same rules, so what is
 * tested here against the interpreter's own word is true there:
 *
 *	first	*(tstate + tstate_frame), or until 3.12 *(*(tstate + tstate_cframe) + cframe_current_frame)
 *	next	*(frame + frame_previous), 0 at the root
 *	skip	frame_owner (u8, 3.11+) of PYTHON_OWNER_C or more: no Python function
 *	code	*(frame + frame_code) & PYTHON_CODE_MASK, an object whose type is PyCode_Type
 *	lasti	s32 at frame_lasti times lasti_unit, or since 3.11
 *		*(frame + frame_instr) - (code + code_adaptive): bytes
 */
#ifndef PMT_PYTHON_FRAMES_H
#define PMT_PYTHON_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

struct fault;
struct python;

#define PYTHON_MAX_FRAMES 127
#define PYTHON_OWNER_C	  3		 /* FRAME_OWNED_BY_CSTACK, _INTERPRETER in 3.14 */
#define PYTHON_CODE_MASK  (~(uint64_t)3) /* f_executable is tagged since 3.14 (gh-117139) */

struct python_frame {
	uint64_t code; /* address of the code object */
	char *name;    /* qualified since 3.11; valid UTF-8, not escaped */
	char *file;
	int32_t first_line, line; /* line 0: not known */
};

struct python_thread {
	uint64_t tstate, interp;
	uint64_t pthread_id; /* thread_id: pthread_self() */
	uint64_t native_id;  /* the kernel's, as the thread itself sees it; 0 before 3.11 */
	bool truncated;	     /* there are more than PYTHON_MAX_FRAMES, towards the root */
	bool failed;	     /* reading stopped at something that is no frame */
	uint32_t nr;
	struct python_frame *frames; /* the leaf first */
};

struct python_threads {
	struct python_thread *v;
	uint32_t nr;
	bool truncated; /* more threads or interpreters than anyone has */
};

/*
 * All threads of all interpreters, the newest of each first. A process that runs while it is read may
 * show frames that were never on the stack together; a stopped one does not. EAGAIN: the runtime is
 * not initialised (yet). Caller: python_threads_done().
 */
int python_read_threads(struct python *p, struct python_threads *ret, struct fault *f);
void python_threads_done(struct python_threads *t);

#endif
