/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a file as the dynamic linker leaves them: a position-independent file holds no addresses
 * where its tables of pointers are, they are in .rela.dyn. (Packed ones, DT_RELR, are in the tables
 * themselves.) What is read here is the file's alone: no process can have changed it.
 */
#include "target/elf_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

/* What a relocation of this file writes, as a link-time address; false: that is in another file. */
static bool value_of(const struct elf_file *e, const Elf64_Rela *r, uint64_t *ret)
{
	uint64_t type = ELF64_R_TYPE(r->r_info), symbol = ELF64_R_SYM(r->r_info);

	if (type == R_X86_64_RELATIVE) {
		*ret = (uint64_t)r->r_addend;
		return true;
	}
	if (type != R_X86_64_64 && type != R_X86_64_GLOB_DAT && type != R_X86_64_JUMP_SLOT)
		return false;
	if (symbol >= e->dynamic.nr || e->dynamic.syms[symbol].st_shndx == SHN_UNDEF)
		return false;
	*ret = e->dynamic.syms[symbol].st_value;
	if (type == R_X86_64_64)
		*ret += (uint64_t)r->r_addend;
	return true;
}

static void apply(const struct elf_file *e, const Elf_Data *d, uint64_t addr, char *buf, size_t len)
{
	const Elf64_Rela *r = d->d_buf;
	size_t nr = d->d_size / sizeof(*r);

	for (size_t i = 0; i < nr; i++) {
		uint64_t value;

		if (r[i].r_offset < addr || r[i].r_offset - addr > len - sizeof(value) ||
		    !value_of(e, &r[i], &value))
			continue;
		memcpy(buf + (r[i].r_offset - addr), &value, sizeof(value));
	}
}

int elf_file_read_linked(const struct elf_file *e, uint64_t addr, void *buf, size_t len)
{
	Elf_Scn *scn = NULL;
	int err = elf_file_read(e, addr, buf, len);

	if (err || len < sizeof(uint64_t))
		return err;
	while ((scn = elf_nextscn(e->elf, scn))) {
		const Elf64_Shdr *sh = elf64_getshdr(scn);
		Elf_Data *d;

		if (!sh || sh->sh_type != SHT_RELA || !(sh->sh_flags & SHF_ALLOC) ||
		    sh->sh_flags & SHF_COMPRESSED || sh->sh_size > ELF_TABLE_MAX)
			continue;
		d = elf_getdata(scn, NULL);
		if (d && d->d_buf && d->d_type == ELF_T_RELA)
			apply(e, d, addr, buf, len);
	}
	return 0;
}
