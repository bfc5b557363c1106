/* SPDX-License-Identifier: MIT */
/*
 * Function entry and exit, as BPF and user space speak of them. BPF keeps for each thread a shadow of
 * its Python stack: the calls that are open, healed from the interpreter's own frames whenever the two
 * part. What happens to RSS is put down to the innermost open call at the moment it happens.
 */
#ifndef PYMEMTRACE_CALLS_ABI_H
#define PYMEMTRACE_CALLS_ABI_H

/* What a probe stands at: the cookie of its uprobe. */
enum pmt_call_site {
	PMT_SITE_ENTER, /* until 3.10: entry of _PyEval_EvalFrameDefault, the frame in an argument */
	PMT_SITE_LEAVE, /* until 3.10: on the way to its ret, tstate->frame is the caller's again */
	PMT_SITE_RESUME,       /* handler of RESUME, INSTRUMENTED_RESUME */
	PMT_SITE_RESUME_CHECK, /* of RESUME_QUICK, RESUME_CHECK, RESUME_CHECK_JIT */
	PMT_SITE_RETURN,       /* of RETURN_VALUE, RETURN_CONST and their INSTRUMENTED_ kin */
	PMT_SITE_YIELD,
	PMT_SITE_CLEAR, /* _PyEval_FrameClearAndPop(tstate, frame): returns and unwinds */
	PMT_SITES
};

/* In the cookie too: no other handler's code leads to the site, so that a hit can be nothing else. */
#define PMT_SITE_EXCLUSIVE (1u << 8)

/* Bits of an opcode. */
#define PMT_OP_RESUME (1u << 0)
#define PMT_OP_RESUME_CHECK \
	(1u << 1) /* and not PMT_OP_RESUME: RESUME's handler only as a fallback */
#define PMT_OP_RETURN	    (1u << 2)
#define PMT_OP_YIELD	    (1u << 3)
#define PMT_OP_ANY	    (1u << 4) /* INSTRUMENTED_LINE and such: stands for another opcode */
#define PMT_OP_INSTRUMENTED (1u << 5) /* RESUME as it is while hooks are set */

#define PMT_CALLS_COUNT 2

/* What is needed of one process, in struct pmt_walk. */
struct pmt_calls {
	__u64 holder_addr; /* of the pointer to the thread state that holds the main GIL; 0: search */
	__u64 shims_start,
		shims_end; /* code objects in here are the interpreter's own (since 3.13) */
	__u32 on;	   /* entry and exit are wanted; PMT_CALLS_COUNT: hits, and no more */
	__u32 frame_arg;   /* until 3.10: which argument of the eval function, 1 or 2 */
	__u32 clears;	   /* PMT_SITE_CLEAR stands for PMT_SITE_RETURN */
	__u32 pad;
	__u8 ops[256];
};

/* Map `calls`: what one function did in one thread. */
struct pmt_call_key {
	__u32 tid, fn; /* fn: a code object's number; 0: what is in no call that is shown */
};

struct pmt_call_sum {
	__u32 tgid;
	__u32 active; /* calls of it that are open in this thread */
	__u64 calls, resumes;
	__u64 returns, yields;
	__u64 unwinds;		 /* ended by an exception; seen, or by what ran next */
	__u64 lost;		 /* neither end nor what followed was seen */
	__u64 growth, shrink;	 /* bytes of RSS, in it and in what it called that is not shown */
	__s64 total;		 /* bytes of RSS, net, of ended outermost calls */
	__s64 largest;		 /* of one ended call; PMT_NO_LARGEST: none has */
	__u64 arenas, pools;	 /* taken */
	__u64 self_ns, total_ns; /* of ended calls; total_ns: outermost ones */
};

#define PMT_NO_LARGEST (-0x7fffffffffffffffll - 1)

/* Map `opened`: one call that is open. */
struct pmt_open_key {
	__u32 tid, depth;
};

enum pmt_open_flags {
	PMT_OPEN_SEEN = 1 << 0,	 /* its entry was; else it was on the stack when it was met */
	PMT_OPEN_SHOWN = 1 << 1, /* not left out by a filter or --depth */
	PMT_OPEN_SHIM = 1 << 2,
};

/* In opcode: entered by RESUME's handler, which may lead to another's. */
#define PMT_OPENED_AT_RESUME (1u << 8)

struct pmt_open_call {
	__u64 frame, previous; /* addresses; previous: of the Python frame below */
	__u64 code;
	__u32 fn;
	__u32 owner; /* fn, or that of the nearest call below that is shown; 0: none is */
	__u32 flags;
	__u32 level;		  /* calls shown up to and with this one */
	__s64 net;		  /* the thread's, when it began */
	__u64 start_ns, inner_ns; /* inner: of ended calls made from it */
	__s32 lasti;  /* at its entry; since 3.11 of the RESUME, from the first instruction */
	__u32 opcode; /* since 3.11: the RESUME it was entered by; PMT_OPENED_AT_RESUME */
	__u32 hit;    /* its thread's, as counted then */
	__u32 sp;     /* since 3.11: stack pointer there, its low half; 0: not seen */
};

/* One event as a log has it. */
struct pmt_call_event {
	__u64 nr;     /* of its thread, from 0 */
	__u64 cpu_ns; /* CPU time of the process's Python threads */
	__s64 rss;    /* bytes, of the process */
	__u32 fn;
	__s32 lasti; /* as in struct pmt_frame */
	__u32 what;  /* enum pmt_call_what */
	__u32 pad;
};

enum pmt_call_what {
	PMT_CALL,
	PMT_RETURN,
	PMT_THREAD_END = 1 << 8, /* set too: the thread has ended, and this was its newest */
};

/* Map `call_threads`, key: bpf_get_current_pid_tgid(). */
struct pmt_call_thread {
	__u64 tstate;
	__s64 net; /* bytes of RSS that came by this thread, less what went */
	__u32 depth, level;
	__u32 hits;   /* of probes; wraps */
	__u32 cframe; /* 3.11, 3.12: where the stack says what runs, from its pointer; 0: unknown */
	__u64 nr_events;
	__s64 reported;			/* RSS of the newest event that was written */
	__u64 cpu_ns;			/* its CPU time as last told */
	__u64 cpu_exec_ns, cpu_seen_ns; /* sum_exec_runtime as last seen, and when */
	struct pmt_call_event last;
	char comm[16];
};

/* Ring buffer `call_log`. */
struct pmt_call_rec {
	__u32 tgid, tid;
	struct pmt_call_event event;
	char comm[16];
};

/* Map `call_counts`, a per-CPU array. */
enum pmt_call_count {
	PMT_HITS_ENTRY, /* of sites that were hit in targets */
	PMT_HITS_EXIT,
	PMT_CALL_REPEATED, /* the same entry by a second handler: not counted again */
	PMT_CALL_STRAY,	   /* hits at which no call begins or ends */
	PMT_CALL_UNREAD,   /* frame or code object could not be read */
	PMT_CALL_RESET,	   /* a thread's stack was another than any known: greenlets */
	PMT_CALL_FULL,	   /* a map was full */
	PMT_CALL_LOG_LOST, /* events that did not fit the log's ring buffer */
	PMT_CALL_COUNTS
};

/* --include, --exclude: code points, so that names compare as they are stored. */
#define PMT_MAX_GLOBS  16
#define PMT_GLOB_CHARS 64
struct pmt_glob {
	__u32 length; /* 0: none from here on */
	__u32 exclude;
	__u32 chars[PMT_GLOB_CHARS];
};

#endif
