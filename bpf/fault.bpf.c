/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Page faults. The software events page-faults-min and -maj are the kernel's own count (min_flt and
 * maj_flt of /proc/PID/stat), made when a fault is over; what kind of fault it was, the tracepoints at
 * its beginning say. Each fault counts once: as a huge page, else as major, else as copy-on-write, else
 * as minor.
 */
#include "memory.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define FAULT_PRESENT 1u /* enum x86_pf_error_code, arch/x86/include/asm/trap_pf.h */
#define FAULT_WRITE   2u
#define HUGE_BYTES    (2ull << 20)

/* As struct bpf_perf_event_data of include/uapi/linux/bpf_perf_event.h. */
struct fault_event {
	__u64 regs[21];
	__u64 sample_period;
	__u64 addr;
};

/* Too large for the stack. */
static const struct pmt_fault no_fault;

static __always_inline int begin_fault(unsigned long address, unsigned long error_code)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct pmt_fault *f;

	if (!is_target(thread >> 32))
		return 0;
	/* ours, when a walk meets what is not resident: nothing is faulted in */
	if (bpf_get_current_task_btf()->pagefault_disabled)
		return 0;
	f = bpf_map_lookup_elem(&faults, &thread);
	if (!f) {
		bpf_map_update_elem(&faults, &thread, &no_fault, BPF_NOEXIST);
		f = bpf_map_lookup_elem(&faults, &thread);
		if (!f)
			return 0; /* it counts as minor or major */
	}
	f->address = address;
	f->error = error_code;
	f->huge = 0;
	return 0;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(on_user_fault, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	return begin_fault(address, error_code);
}

/* The kernel touches memory for the process too: read(2) into fresh pages. */
SEC("tp_btf/page_fault_kernel")
int BPF_PROG(on_kernel_fault, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	return begin_fault(address, error_code);
}

/*
 * A write to a page that is there and must not be written, or the first one to a private mapping of a
 * file. Whether a page was copied, or made writable because nobody else has it any more, cannot be seen
 * from here. In shared mappings it is how the kernel learns what is dirty.
 */
static __always_inline bool is_copy(const struct pmt_fault *f, __u32 memory)
{
	if (!(f->error & FAULT_WRITE) || memory & MEMORY_SHARED)
		return false;
	return f->error & FAULT_PRESENT || memory == PMT_MEMORY_FILE || memory == PMT_MEMORY_SHMEM;
}

/*
 * As memory_at(), of a thread that tends to fault in few mappings. Interrupts are off here (on 6.18), and
 * then to let go of the lock of the mappings takes an interrupt of its own: 10 us in a virtual machine.
 */
static __always_inline __u32 memory_of_fault(struct pmt_fault *f, __u64 address)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 version = task->mm ? mappings_version(task->mm) : 0;
	struct pmt_mapping found = {};

	if (version != f->version)
		__builtin_memset(f->known, 0, sizeof(f->known));
	f->version = version;
	for (int i = 0; i < PMT_KNOWN_MAPPINGS && version; i++)
		if (address >= f->known[i].start && address < f->known[i].end)
			return f->known[i].memory;
	bpf_find_vma(task, address, see_vma, &found, 0);
	f->known[f->next++ % PMT_KNOWN_MAPPINGS] = found;
	return found.memory;
}

static __always_inline int end_fault(__u64 address, __u32 event)
{
	__u64 thread = bpf_get_current_pid_tgid(), bytes = PAGE_BYTES;
	struct pmt_fault *f;
	__u32 memory;

	if (!is_target(thread >> 32))
		return 0;
	f = bpf_map_lookup_elem(&faults, &thread);
	memory = f ? memory_of_fault(f, address) : memory_at(address);
	if (f && f->address == address) {
		if (f->huge) {
			event = PMT_ON_FAULT_HUGE;
			bytes = HUGE_BYTES;
		} else if (event == PMT_ON_FAULT_MINOR && is_copy(f, memory)) {
			event = PMT_ON_FAULT_COW;
		}
		f->address = 0;
	}
	return put_down(EVENT_IN(event, kind_of(memory)), bytes, 0, 1);
}

SEC("perf_event")
int on_minor_fault(struct fault_event *ctx)
{
	return end_fault(ctx->addr, PMT_ON_FAULT_MINOR);
}

SEC("perf_event")
int on_major_fault(struct fault_event *ctx)
{
	return end_fault(ctx->addr, PMT_ON_FAULT_MAJOR);
}
