/* SPDX-License-Identifier: MIT */
/*
 * One ELF file: its segments, sections and bytes. The file is the target's: libelf checks the
 * bounds of what it hands out; sizes, counts and every address used here are checked here. Files
 * are read, never mapped: a mapped one that its owner truncates would kill this process.
 */
#include "target/elf_internal.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE	   4096ull
#define NEEDED_MAX 1024

static int not_elf(struct fault *f, const char *name, const char *why)
{
	char shown[300];

	return fault_set(f, ENOEXEC, "%s is not an ELF64 x86-64 file: %s",
			 text_escape(shown, sizeof(shown), name, strlen(name)), why);
}

static int load_segments(struct elf_file *e)
{
	const Elf64_Phdr *phdrs = elf64_getphdr(e->elf);
	size_t nr;

	if (!phdrs || elf_getphdrnum(e->elf, &nr))
		return -ENOEXEC;
	e->loads = calloc(min(nr, (size_t)ELF_LOADS_MAX) + 1, sizeof(*e->loads));
	if (!e->loads)
		return -ENOMEM;
	for (size_t i = 0; i < nr && e->nr_loads < ELF_LOADS_MAX; i++) {
		const Elf64_Phdr *p = &phdrs[i];

		if (p->p_type != PT_LOAD || !p->p_memsz)
			continue;
		if (p->p_filesz > p->p_memsz || p->p_memsz > UINT64_MAX - p->p_vaddr ||
		    p->p_filesz > INT64_MAX || p->p_offset > INT64_MAX - p->p_filesz)
			return -ENOEXEC;
		/* ascending, by the ABI */
		if (e->nr_loads && p->p_vaddr < e->loads[e->nr_loads - 1].p_vaddr)
			return -ENOEXEC;
		e->loads[e->nr_loads++] = *p;
	}
	return e->nr_loads ? 0 : -ENOEXEC;
}

bool elf_load_table(Elf *elf, Elf64_Word type, struct elf_table *ret)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn))) {
		const Elf64_Shdr *sh = elf64_getshdr(scn), *strings;
		struct elf_table t;
		const char *last;
		Elf_Data *d;
		Elf_Scn *str;

		if (!sh || sh->sh_type != type || sh->sh_flags & SHF_COMPRESSED ||
		    sh->sh_entsize != sizeof(Elf64_Sym) || sh->sh_size > ELF_TABLE_MAX)
			continue;
		str = elf_getscn(elf, sh->sh_link);
		strings = str ? elf64_getshdr(str) : NULL;
		if (!strings || strings->sh_type != SHT_STRTAB ||
		    strings->sh_flags & SHF_COMPRESSED || strings->sh_size > ELF_TABLE_MAX)
			continue;
		d = elf_getdata(scn, NULL);
		if (!d || !d->d_buf || d->d_type != ELF_T_SYM)
			continue;
		t.syms = d->d_buf;
		t.nr = d->d_size / sizeof(Elf64_Sym);
		d = elf_getdata(str, NULL);
		if (!d || !d->d_buf || !d->d_size)
			continue;
		t.names = d->d_buf;
		last = memrchr(t.names, 0, d->d_size);
		if (!last)
			continue;
		t.names_len = (size_t)(last - t.names) + 1;
		*ret = t;
		return true;
	}
	return false;
}

static Elf_Scn *find_section(Elf *elf, const char *name)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		const Elf64_Shdr *sh = elf64_getshdr(scn);
		const char *n = sh ? elf_strptr(elf, names, sh->sh_name) : NULL;

		if (n && !strcmp(n, name))
			return scn;
	}
	return NULL;
}

const void *elf_section_bytes(Elf *elf, const char *name, size_t *ret_len)
{
	Elf_Scn *scn = find_section(elf, name);
	const Elf64_Shdr *sh = scn ? elf64_getshdr(scn) : NULL;
	Elf_Data *d;

	if (!sh || sh->sh_type == SHT_NOBITS || sh->sh_size > ELF_TABLE_MAX)
		return NULL;
	d = elf_rawdata(scn, NULL);
	if (!d || !d->d_buf || !d->d_size)
		return NULL;
	*ret_len = d->d_size;
	return d->d_buf;
}

bool elf_file_has_text(const struct elf_file *e, const char *section, const char *text)
{
	size_t len;
	const void *bytes = elf_section_bytes(e->elf, section, &len);

	return bytes && memmem(bytes, len, text, strlen(text));
}

void elf_read_build_id(Elf *elf, char *ret, size_t size)
{
	const void *id;
	ssize_t n = dwelf_elf_gnu_build_id(elf, &id);

	ret[0] = 0;
	if (n <= 0 || (size_t)n * 2 >= size)
		return;
	for (ssize_t i = 0; i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", ((const unsigned char *)id)[i]);
}

static void cleanup_elf(struct elf_file **e)
{
	elf_file_close(*e);
}

int elf_file_open(struct elf_file **ret, int fd, const char *name, const struct target *t,
		  struct fault *f)
{
	_cleanup_(cleanup_elf) struct elf_file *e = calloc(1, sizeof(*e));
	const Elf64_Ehdr *eh;
	struct stat st;
	int err;

	if (!e)
		return fault_errno(f, ENOMEM, "reading symbols");
	e->fd = e->debug_fd = -1;
	e->name = strdup(name);
	e->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (!e->name || e->fd < 0 || fstat(e->fd, &st))
		return fault_errno(f, e->name ? errno : ENOMEM, "reading symbols");
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > ELF_FILE_MAX)
		return not_elf(f, name, "no regular file, or larger than 4 GiB");
	elf_version(EV_CURRENT);
	e->elf = elf_begin(e->fd, ELF_C_READ, NULL);
	if (!e->elf || elf_kind(e->elf) != ELF_K_ELF)
		return not_elf(f, name, "it does not begin like one");
	eh = elf64_getehdr(e->elf);
	if (!eh || eh->e_machine != EM_X86_64 || eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return not_elf(f, name, "another machine");
	if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
		return not_elf(f, name, "no program or library");
	err = load_segments(e);
	if (err == -ENOEXEC)
		return not_elf(f, name, "nothing of it can be loaded");
	if (err)
		return fault_errno(f, -err, "reading symbols");

	elf_read_build_id(e->elf, e->build_id, sizeof(e->build_id));
	if (strlen(e->build_id) > 2)
		snprintf(e->debug_wanted, sizeof(e->debug_wanted),
			 "/usr/lib/debug/.build-id/%.2s/%s.debug", e->build_id, e->build_id + 2);
	elf_load_table(e->elf, SHT_DYNSYM, &e->dynamic);
	if (elf_load_table(e->elf, SHT_SYMTAB, &e->full))
		e->symbols = ELF_SYMTAB;
	else
		elf_find_debug(e, t);
	err = elf_index_functions(e);
	if (err)
		return fault_errno(f, -err, "reading symbols");
	*ret = steal_ptr(e);
	return 0;
}

void elf_file_close(struct elf_file *e)
{
	if (!e)
		return;
	elf_end(e->debug_elf);
	elf_end(e->elf);
	cleanup_fd_(&e->debug_fd);
	cleanup_fd_(&e->fd);
	free(e->debug_data);
	free(e->debug_path);
	free(e->functions);
	free(e->loads);
	free(e->name);
	free(e);
}

const char *elf_file_name(const struct elf_file *e)
{
	return e->name;
}

const char *elf_file_build_id(const struct elf_file *e)
{
	return e->build_id;
}

enum elf_symbols elf_file_symbols(const struct elf_file *e)
{
	return e->symbols;
}

const char *elf_file_debug_path(const struct elf_file *e)
{
	return e->debug_path;
}

const char *elf_file_debug_wanted(const struct elf_file *e)
{
	return e->debug_wanted;
}

uint64_t elf_file_entry(const struct elf_file *e)
{
	return elf64_getehdr(e->elf)->e_entry;
}

static struct elf_section section_from(const Elf64_Shdr *sh)
{
	return (struct elf_section){
		.addr = sh->sh_addr,
		.size = sh->sh_size,
		.offset = sh->sh_offset,
		.nobits = sh->sh_type == SHT_NOBITS,
		.exec = sh->sh_flags & SHF_EXECINSTR,
	};
}

int elf_file_section(const struct elf_file *e, const char *name, struct elf_section *ret)
{
	Elf_Scn *scn = find_section(e->elf, name);
	const Elf64_Shdr *sh = scn ? elf64_getshdr(scn) : NULL;

	if (!sh)
		return -ENOENT;
	*ret = section_from(sh);
	return 0;
}

int elf_file_section_at(const struct elf_file *e, uint64_t addr, struct elf_section *ret)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(e->elf, scn))) {
		const Elf64_Shdr *sh = elf64_getshdr(scn);

		/* .tbss has an address but takes no room at it */
		if (!sh || !(sh->sh_flags & SHF_ALLOC) ||
		    (sh->sh_flags & SHF_TLS && sh->sh_type == SHT_NOBITS))
			continue;
		if (addr >= sh->sh_addr && addr - sh->sh_addr < sh->sh_size) {
			*ret = section_from(sh);
			return 0;
		}
	}
	return -ENOENT;
}

bool elf_file_next_section(const struct elf_file *e, size_t *at, struct elf_section *ret)
{
	Elf_Scn *scn;

	while ((scn = elf_getscn(e->elf, ++*at))) {
		const Elf64_Shdr *sh = elf64_getshdr(scn);

		if (!sh || !(sh->sh_flags & SHF_ALLOC) || sh->sh_flags & SHF_TLS)
			continue;
		*ret = section_from(sh);
		return true;
	}
	return false;
}

static const Elf64_Phdr *load_at(const struct elf_file *e, uint64_t addr)
{
	for (size_t i = 0; i < e->nr_loads; i++)
		if (addr >= e->loads[i].p_vaddr && addr - e->loads[i].p_vaddr < e->loads[i].p_memsz)
			return &e->loads[i];
	return NULL;
}

bool elf_in_load(const struct elf_file *e, uint64_t addr)
{
	return load_at(e, addr) != NULL;
}

int elf_file_read(const struct elf_file *e, uint64_t addr, void *buf, size_t len)
{
	char *out = buf;

	if (len > UINT64_MAX - addr)
		return -EFAULT;
	while (len) {
		const Elf64_Phdr *p = load_at(e, addr);
		uint64_t at;
		size_t n;

		if (!p)
			return -EFAULT;
		at = addr - p->p_vaddr;
		if (at < p->p_filesz) {
			ssize_t got;

			n = (size_t)min((uint64_t)len, p->p_filesz - at);
			got = pread(e->fd, out, n, (off_t)(p->p_offset + at));
			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0) /* truncated */
				return -EFAULT;
			n = (size_t)got;
		} else {
			n = (size_t)min((uint64_t)len, p->p_memsz - at);
			memset(out, 0, n);
		}
		addr += n;
		out += n;
		len -= n;
	}
	return 0;
}

int elf_file_offset(const struct elf_file *e, uint64_t addr, uint64_t *ret)
{
	const Elf64_Phdr *p = load_at(e, addr);

	if (!p || addr - p->p_vaddr >= p->p_filesz)
		return -EFAULT;
	*ret = addr - p->p_vaddr + p->p_offset;
	return 0;
}

uint64_t elf_file_bias(const struct elf_file *e, uint64_t first_map_start)
{
	return first_map_start - (e->loads[0].p_vaddr & ~(PAGE - 1));
}

bool elf_file_needs(const struct elf_file *e, const char *soname_prefix)
{
	size_t prefix = strlen(soname_prefix);
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(e->elf, scn))) {
		const Elf64_Shdr *sh = elf64_getshdr(scn);
		const Elf64_Dyn *dyn;
		Elf_Data *d;
		size_t nr;

		if (!sh || sh->sh_type != SHT_DYNAMIC || sh->sh_size > ELF_TABLE_MAX)
			continue;
		d = elf_getdata(scn, NULL);
		if (!d || !d->d_buf || d->d_type != ELF_T_DYN)
			continue;
		dyn = d->d_buf;
		nr = min(d->d_size / sizeof(*dyn), (size_t)NEEDED_MAX);
		for (size_t i = 0; i < nr && dyn[i].d_tag != DT_NULL; i++) {
			const char *so;

			if (dyn[i].d_tag != DT_NEEDED)
				continue;
			so = elf_strptr(e->elf, sh->sh_link, dyn[i].d_un.d_val);
			if (so && !strncmp(so, soname_prefix, prefix))
				return true;
		}
	}
	return false;
}
