/* SPDX-License-Identifier: MIT */
/*
 * genlayout: writes the table of one CPython build, user/python/layouts/VERSION[-debug][-t].inc,
 * from its DWARF. A tool for whoever adds a CPython version (`make layout PYTHON=...`); not a part
 * of pymemtrace-bpf itself, and the only program here that prints from user/python.
 *
 * The interpreter is not run; a libpython it is linked against is found through its dynamic
 * section.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "python/dwarf_layout.h"
#include "python/internal.h"

#include <elfutils/version.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct options {
	const char *python, *debug_file, *debug_dir, *out, *out_dir, *origin;
};

struct build {
	char path[PATH_MAX]; /* of the executable or libpython that holds the interpreter */
	char debug_path[PATH_MAX];
	char version[24];
	uint32_t version_hex;
	bool debug;
	char build_id[64];
	struct py_layout layout;
};

static void elf_cleanup(Elf **e)
{
	if (*e)
		elf_end(*e);
}

static void elf_file_cleanup(struct elf_file **e)
{
	elf_file_close(*e);
}

static Elf_Data *section_data(Elf *elf, unsigned type, GElf_Shdr *ret)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, ret) && ret->sh_type == type)
			return elf_getdata(scn, NULL);
	return NULL;
}

/* DT_NEEDED libpython3.X, sought in DT_RUNPATH (with $ORIGIN), ../lib and the system's folders. */
static int find_libpython(struct build *b, struct fault *f)
{
	_cleanup_fd_ int fd = open(b->path, O_RDONLY | O_CLOEXEC);
	_cleanup_(elf_cleanup) Elf *elf = NULL;
	char dirs[4 * PATH_MAX], origin[PATH_MAX], *dir, *save, *slash;
	const char *needed = NULL, *runpath = "";
	Elf_Data *data;
	GElf_Shdr shdr;
	GElf_Dyn dyn;

	if (fd < 0)
		return fault_errno(f, errno, "'%s'", b->path);
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		return fault_set(f, ENOEXEC, "'%s' is not an ELF file", b->path);
	data = section_data(elf, SHT_DYNAMIC, &shdr);
	for (int i = 0; data && gelf_getdyn(data, i, &dyn); i++) {
		const char *s;

		if (dyn.d_tag != DT_NEEDED && dyn.d_tag != DT_RUNPATH && dyn.d_tag != DT_RPATH)
			continue;
		s = elf_strptr(elf, shdr.sh_link, dyn.d_un.d_val);
		if (s && dyn.d_tag == DT_NEEDED && !strncmp(s, "libpython3.", 11))
			needed = s;
		else if (s && dyn.d_tag != DT_NEEDED)
			runpath = s;
	}
	if (!needed)
		return 0; /* the executable is the interpreter */

	snprintf(origin, sizeof(origin), "%s", b->path);
	slash = strrchr(origin, '/');
	if (slash)
		*slash = '\0';
	snprintf(dirs, sizeof(dirs), "%s:%s/../lib:/usr/lib/x86_64-linux-gnu:/usr/lib64:/usr/lib",
		 runpath, origin);
	for (dir = strtok_r(dirs, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		char candidate[3 * PATH_MAX];
		const char *rest = dir;

		if (!strncmp(dir, "$ORIGIN", 7))
			rest = dir + 7;
		snprintf(candidate, sizeof(candidate), "%s%s/%s", rest == dir ? "" : origin, rest,
			 needed);
		if (!access(candidate, R_OK) && realpath(candidate, b->path))
			return 0;
	}
	return fault_set(f, ENOENT, "'%s' needs '%s', which was not found", b->path, needed);
}

/* Its own DWARF, else the debug file given, or found by build-id. */
static int read_layout(const struct options *o, int fd, const struct elf_file *elf, struct build *b,
		       struct fault *f)
{
	const char *id = elf_file_build_id(elf);
	int r = -ENODATA;

	if (!o->debug_file)
		r = dwarf_layout_read(fd, NULL, &b->layout, f);
	if (r != -ENODATA)
		return r;
	if (o->debug_file)
		snprintf(b->debug_path, sizeof(b->debug_path), "%s", o->debug_file);
	else if (o->debug_dir && strlen(id) > 2)
		snprintf(b->debug_path, sizeof(b->debug_path), "%s/.build-id/%.2s/%s.debug",
			 o->debug_dir, id, id + 2);
	else if (elf_file_debug_path(elf))
		snprintf(b->debug_path, sizeof(b->debug_path), "%s", elf_file_debug_path(elf));
	else
		return r;
	return dwarf_layout_read(fd, b->debug_path, &b->layout, f);
}

static int read_build(const struct options *o, struct build *b, struct fault *f)
{
	_cleanup_(elf_file_cleanup) struct elf_file *elf = NULL;
	_cleanup_fd_ int fd = -1;
	struct py_file file = {.name = b->path};
	struct python_id id = {0};
	int r;

	if (!realpath(o->python, b->path))
		return fault_errno(f, errno, "'%s'", o->python);
	r = find_libpython(b, f);
	if (r)
		return r;
	fd = open(b->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fault_errno(f, errno, "'%s'", b->path);
	r = elf_file_open(&elf, fd, b->path, NULL, f);
	if (r)
		return r;
	file.elf = elf;
	r = py_version_read(&file, &id, f);
	if (r)
		return r;
	b->version_hex = id.version_hex;
	b->debug = id.debug_build;
	python_version_text(b->version, id.version_hex);
	snprintf(b->build_id, sizeof(b->build_id), "%s", elf_file_build_id(elf));
	return read_layout(o, fd, elf, b, f);
}

/* Everything that comes from a file name or an option ends up within a C string literal. */
static void write_literal(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fputc(*s >= ' ' && *s < 0x7f ? *s : '?', out);
	}
}

static const char *guess_origin(const struct options *o, const struct build *b)
{
	if (o->origin)
		return o->origin;
	return strstr(b->path, "/.pyenv/") ? "pyenv" : b->path;
}

static void write_entry(FILE *out, const struct options *o, const struct build *b)
{
	bool free_threaded = b->layout.object_tid != PY_NONE;

	fprintf(out, "/* SPDX-License-Identifier: MIT */\n"
		     "/* Generated from DWARF by `make layout`; do not edit. */\n{\n");
	fprintf(out, "\t.version_hex = 0x%08x,\n\t.debug = %d,\n\t.free_threaded = %d,\n",
		b->version_hex, b->debug, free_threaded);
	fprintf(out, "\t.provenance = \"CPython %s%s%s, ", b->version, b->debug ? " debug" : "",
		free_threaded ? " free-threaded" : "");
	write_literal(out, guess_origin(o, b));
	fprintf(out, ", build-id %s, genlayout with elfutils %d.%d\",\n",
		b->build_id[0] ? b->build_id : "none", _ELFUTILS_VERSION / 1000,
		_ELFUTILS_VERSION % 1000);
	fprintf(out, "\t.layout = {\n");
#define WRITE_FIELD(name, kind, type, path)                  \
	if (b->layout.name == PY_NONE)                       \
		fprintf(out, "\t\t.%s = PY_NONE,\n", #name); \
	else                                                 \
		fprintf(out, "\t\t.%s = %u,\n", #name, b->layout.name);
	PY_LAYOUT_FIELDS(WRITE_FIELD)
#undef WRITE_FIELD
	fprintf(out, "\t},\n},\n");
}

static int write_file(const struct options *o, const struct build *b, struct fault *f)
{
	_cleanup_file_ FILE *out = NULL;
	char path[2 * PATH_MAX];

	if (!o->out && !o->out_dir) {
		write_entry(stdout, o, b);
		return fflush(stdout) ? fault_errno(f, errno, "standard output") : 0;
	}
	if (o->out)
		snprintf(path, sizeof(path), "%s", o->out);
	else
		snprintf(path, sizeof(path), "%s/%s%s%s.inc", o->out_dir, b->version,
			 b->layout.object_tid != PY_NONE ? "-t" : "", b->debug ? "-debug" : "");
	out = fopen(path, "we");
	if (!out)
		return fault_errno(f, errno, "'%s'", path);
	write_entry(out, o, b);
	if (fclose(steal_ptr(out)))
		return fault_errno(f, errno, "'%s'", path);
	printf("%s: from %s\n", path, b->debug_path[0] ? b->debug_path : b->path);
	return 0;
}

static const char usage[] =
	"usage: genlayout [-o FILE | -d DIR] [--debug FILE | --debug-dir DIR] [--origin TEXT] "
	"PYTHON\n"
	"  -o, --output FILE    write there (default: standard output)\n"
	"  -d, --directory DIR  write DIR/VERSION[-t][-debug].inc\n"
	"      --debug FILE     the separate debug file\n"
	"      --debug-dir DIR  which has .build-id/ (default: /usr/lib/debug)\n"
	"      --origin TEXT    where the build comes from, for the record\n";

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"output", required_argument, NULL, 'o'},
		{"directory", required_argument, NULL, 'd'},
		{"debug", required_argument, NULL, 'g'},
		{"debug-dir", required_argument, NULL, 'G'},
		{"origin", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options o = {0};
	static struct build b;
	struct fault f = {0};
	int c;

	while ((c = getopt_long(argc, argv, "o:d:h", longs, NULL)) != -1) {
		switch (c) {
		case 'o':
			o.out = optarg;
			break;
		case 'd':
			o.out_dir = optarg;
			break;
		case 'g':
			o.debug_file = optarg;
			break;
		case 'G':
			o.debug_dir = optarg;
			break;
		case 'r':
			o.origin = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind + 1 != argc) {
		fputs(usage, stderr);
		return 2;
	}
	o.python = argv[optind];
	if (read_build(&o, &b, &f) || write_file(&o, &b, &f)) {
		fprintf(stderr, "genlayout: %s\n", f.text);
		return 1;
	}
	return 0;
}
