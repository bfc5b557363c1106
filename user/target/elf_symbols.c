/* SPDX-License-Identifier: MIT */
/*
 * Symbols by name and by address. Link-time optimisation renames local symbols:
 *
 *   allocate_from_new_pool.lto_priv.0      the same function, made unique (gcc)
 *   arenas.llvm.1234567890                 the same, promoted to another module (clang ThinLTO)
 *   new_arena.constprop.0  foo.isra.0      another function, with other arguments
 *   bar.cold  bar.part.0                   a piece of one
 *
 * A name with several local symbols at different addresses is found by none of them: a guess would
 * read a wrong variable.
 */
#include "target/elf_internal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

/* Several symbols of one rank: usable only if all are at the same place. */
struct candidate {
	struct elf_symbol sym;
	bool any, ambiguous;
};

static void consider(struct candidate *c, const Elf64_Sym *s)
{
	if (c->any && c->sym.value != s->st_value)
		c->ambiguous = true;
	if (!c->any || s->st_size > c->sym.size)
		c->sym = (struct elf_symbol){s->st_value, s->st_size};
	c->any = true;
}

static bool is_function(const Elf64_Sym *s)
{
	unsigned int type = ELF64_ST_TYPE(s->st_info);

	return type == STT_FUNC || type == STT_GNU_IFUNC;
}

/* Code or data of this file; not a thread-local one, whose value is no address. */
static bool is_defined(const struct elf_file *e, const Elf64_Sym *s)
{
	unsigned int type = ELF64_ST_TYPE(s->st_info);

	return s->st_shndx != SHN_UNDEF && s->st_shndx != SHN_COMMON &&
	       (type == STT_NOTYPE || type == STT_OBJECT || is_function(s)) &&
	       elf_in_load(e, s->st_value);
}

static bool is_local(const Elf64_Sym *s)
{
	return ELF64_ST_BIND(s->st_info) == STB_LOCAL;
}

/* ".lto_priv.0", ".llvm.123", also several of them, and nothing else. */
static bool is_lto_suffix(const char *s)
{
	static const char *const kinds[] = {".lto_priv.", ".llvm."};

	if (!*s)
		return false;
	while (*s) {
		size_t n = 0, digits;

		for (size_t i = 0; i < ARRAY_SIZE(kinds) && !n; i++)
			if (!strncmp(s, kinds[i], strlen(kinds[i])))
				n = strlen(kinds[i]);
		digits = n ? strspn(s + n, "0123456789") : 0;
		if (!digits)
			return false;
		s += n + digits;
	}
	return true;
}

static int find_in(const struct elf_file *e, const struct elf_table *t, const char *name,
		   struct elf_symbol *ret)
{
	struct candidate exact = {0}, suffixed = {0}, *best;
	size_t n = strlen(name);

	for (size_t i = 0; i < t->nr; i++) {
		const Elf64_Sym *s = &t->syms[i];
		const char *have = elf_table_name(t, i);

		if (strncmp(have, name, n) || !is_defined(e, s))
			continue;
		if (!have[n] && !is_local(s)) {
			*ret = (struct elf_symbol){s->st_value, s->st_size};
			return 0;
		}
		if (!have[n])
			consider(&exact, s);
		else if (is_lto_suffix(have + n))
			consider(&suffixed, s);
	}
	best = exact.any ? &exact : &suffixed;
	if (!best->any || best->ambiguous)
		return -ENOENT;
	*ret = best->sym;
	return 0;
}

int elf_file_symbol(const struct elf_file *e, const char *name, struct elf_symbol *ret)
{
	int err = find_in(e, &e->full, name, ret);

	return err ? find_in(e, &e->dynamic, name, ret) : 0;
}

int elf_file_dynamic_symbol(const struct elf_file *e, const char *name, struct elf_symbol *ret)
{
	return find_in(e, &e->dynamic, name, ret);
}

/* The locals of a file follow its STT_FILE symbol, up to the next one. */
int elf_file_static_symbol(const struct elf_file *e, const char *file, const char *name,
			   struct elf_symbol *ret)
{
	const struct elf_table *t = &e->full;
	struct candidate found = {0};
	bool in_file = false;

	for (size_t i = 0; i < t->nr; i++) {
		const Elf64_Sym *s = &t->syms[i];
		const char *have = elf_table_name(t, i);

		if (ELF64_ST_TYPE(s->st_info) == STT_FILE) {
			const char *slash = strrchr(have, '/');

			in_file = !strcmp(slash ? slash + 1 : have, file);
		} else if (in_file && is_local(s) && !strcmp(have, name) && is_defined(e, s)) {
			consider(&found, s);
		}
	}
	if (!found.any || found.ambiguous)
		return -ENOENT;
	*ret = found.sym;
	return 0;
}

/* By value; global names first, then the alphabet, so that the choice does not depend on order. */
static int compare_functions(const void *a, const void *b)
{
	const struct elf_function *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	if (x->local != y->local)
		return x->local ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void add_functions(struct elf_file *e, const struct elf_table *t)
{
	for (size_t i = 0; i < t->nr; i++) {
		const Elf64_Sym *s = &t->syms[i];
		const char *name = elf_table_name(t, i);

		if (*name && is_function(s) && is_defined(e, s))
			e->functions[e->nr_functions++] =
				(struct elf_function){s->st_value, name, is_local(s)};
	}
}

int elf_index_functions(struct elf_file *e)
{
	e->functions = calloc(e->full.nr + e->dynamic.nr + 1, sizeof(*e->functions));
	if (!e->functions)
		return -ENOMEM;
	add_functions(e, &e->full);
	add_functions(e, &e->dynamic);
	if (e->nr_functions)
		qsort(e->functions, e->nr_functions, sizeof(*e->functions), compare_functions);
	return 0;
}

const char *elf_file_function_at(const struct elf_file *e, uint64_t value)
{
	size_t lo = 0, hi = e->nr_functions;

	/* the first of those with this value */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (e->functions[mid].value < value)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == e->nr_functions || e->functions[lo].value != value)
		return NULL;
	return e->functions[lo].name;
}
