/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What kernel events of the target's memory have in common: which kind of memory an address is in, and
 * who is asked for.
 */
#ifndef PMT_MEMORY_BPF_H
#define PMT_MEMORY_BPF_H

#include "stack.bpf.h"

#define VM_SHARED     0x00000008 /* include/linux/mm.h */
#define VM_GROWSDOWN  0x00000100
#define TMPFS_MAGIC   0x01021994 /* include/uapi/linux/magic.h */
#define MEMORY_SHARED (1u << 8)	 /* beside the kind: writes are seen by others */

/* arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_MMAP	   9
#define NR_MUNMAP  11
#define NR_BRK	   12
#define NR_MREMAP  25
#define NR_MADVISE 28
#define NR_EXECVE  59

#define WANTED(event) (cfg_stacks & 1u << (event))

struct super_block___pmt {
	unsigned long s_magic;
} __attribute__((preserve_access_index));

struct inode___pmt {
	struct super_block___pmt *i_sb;
} __attribute__((preserve_access_index));

struct file___pmt {
	struct inode___pmt *f_inode;
} __attribute__((preserve_access_index));

struct vm_area_struct___pmt {
	unsigned long vm_start, vm_end, vm_flags;
	struct file___pmt *vm_file;
	struct mm_struct *vm_mm;
} __attribute__((preserve_access_index));

/*
 * [heap] and [stack] as /proc/PID/maps names them; stacks of other threads are anonymous here. What a
 * private mapping of a file has copied still is of the file.
 */
static long see_vma(struct task_struct *task, struct vm_area_struct___pmt *vma,
		    struct pmt_mapping *ret)
{
	const struct mm_struct *mm = task->mm;
	struct file___pmt *file = vma->vm_file;
	__u32 kind = PMT_MEMORY_ANON;

	ret->start = vma->vm_start;
	ret->end = vma->vm_end;
	if (file)
		kind = BPF_CORE_READ(file, f_inode, i_sb, s_magic) == TMPFS_MAGIC ? PMT_MEMORY_SHMEM
										  : PMT_MEMORY_FILE;
	else if (mm && ret->start <= mm->brk && ret->end >= mm->start_brk)
		kind = PMT_MEMORY_HEAP;
	else if ((mm && ret->start <= mm->start_stack && ret->end >= mm->start_stack) ||
		 vma->vm_flags & VM_GROWSDOWN)
		kind = PMT_MEMORY_STACK;
	ret->memory = kind | (vma->vm_flags & VM_SHARED ? MEMORY_SHARED : 0);
	return 0;
}

/*
 * The kind of memory at an address of the current task; PMT_MEMORY_UNKNOWN where nothing is mapped, or
 * its mappings are being changed at this moment. Only where no lock of the scheduler can be held.
 */
static __always_inline __u32 memory_at(__u64 address)
{
	struct pmt_mapping found = {};

	bpf_find_vma(bpf_get_current_task_btf(), address, see_vma, &found, 0);
	return found.memory;
}

static __always_inline __u32 kind_of(__u32 memory)
{
	return memory & ~MEMORY_SHARED;
}

static __always_inline __u64 whole_pages(__u64 bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static __always_inline bool is_target(__u32 tgid)
{
	return bpf_map_lookup_elem(&targets, &tgid) && !stopped;
}

/*
 * What came and went, to whoever runs now. Global, so that verifiers go through the walk once, and not
 * for each way that leads here. what: event, and kind of memory << 8.
 */
__weak int put_down(__u64 what, __u64 growth, __u64 shrink, __u64 events)
{
	__u32 tgid = current_tgid(), event = what & 0xff;
	struct pmt_counts *c = bpf_map_lookup_elem(&counts, &tgid);

	if (c && event < PMT_STACK_EVENTS && WANTED(event))
		attribute_memory(c, tgid, event, what >> 8, growth, shrink, events);
	return 0;
}

#define EVENT_IN(event, memory) ((event) | (__u64)(memory) << 8)

#endif
