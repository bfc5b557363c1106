/* SPDX-License-Identifier: MIT */
#include "cmd/call_sites.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "python/python.h"
#include "python/x86_name.h"
#include "trace/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_NS	   3000
#define STEPPED_NS 10000 /* where it cannot be measured: in a single step, or emulated */
#define USUAL_NS   700

/* A file whose sites are in the table. */
struct probed_file {
	uint64_t dev, inode;
};

void call_sites_init(struct call_sites *s, const struct options *o, struct trace *t,
		     struct calls *table)
{
	*s = (struct call_sites){.o = o, .trace = t, .table = table};
}

void call_sites_done(struct call_sites *s)
{
	free(s->files);
}

static bool is_entry(const struct python_call_site *site)
{
	return site->role == PMT_SITE_ENTER || site->role == PMT_SITE_RESUME ||
	       site->role == PMT_SITE_RESUME_CHECK;
}

/* The site that nearly every entry, or nearly every exit, comes by; the others are for the rest. */
static bool is_usual(const struct python_call_info *info, const struct python_call_site *site)
{
	if (site->role == PMT_SITE_YIELD)
		return false;
	if (site->role != PMT_SITE_RESUME)
		return true;
	for (uint32_t i = 0; i < info->nr_sites; i++)
		if (info->sites[i].role == PMT_SITE_RESUME_CHECK)
			return false;
	return true;
}

/*
 * No probe is put there: exits that nobody wants; and where a yield would have to be single-stepped
 * (3.13), for a generator that was left there shows it in its frame.
 */
static bool is_left_out(const struct call_sites *s, const struct python_call_site *site)
{
	if (is_entry(site))
		return false;
	return s->o->calls.no_exits ||
	       (site->role == PMT_SITE_YIELD && !site->emulated && !s->o->calls.allow_slow);
}

/* ns; 0: not measured */
static uint64_t measure(struct call_sites *s, const struct python_call_site *site)
{
	struct fault f = {0};
	uint64_t ns;

	if (!trace_probe_cost(s->trace, site->bytes, site->length, &ns, &f))
		return ns;
	log_debug("the cost of a probe in %s is not measured: %s", site->name, f.text);
	return 0;
}

static uint64_t expected_ns(const struct python_call_site *site, uint64_t measured)
{
	return measured ? measured : site->emulated ? USUAL_NS : STEPPED_NS;
}

/* "entry and exit of this build take 10 us each (mov in RETURN_VALUE is single-stepped)" */
static void say_slow(const struct python_call_site *entry, uint64_t entry_ns,
		     const struct python_call_site *exit, uint64_t exit_ns, struct fault *f)
{
	const struct python_call_site *of = exit ? exit : entry;
	uint64_t ns = max(entry_ns, exit_ns);

	fault_set(f, EOPNOTSUPP, "function %s of this build take%s %.1f us%s (%s in %s %s)",
		  entry && exit ? "entry and exit"
		  : entry	? "entry"
				: "exit",
		  entry && exit ? "" : "s", (double)ns / 1000, entry && exit ? " each" : "",
		  x86_name(of->bytes, of->length), of->name,
		  of->emulated ? "is slow here" : "is single-stepped");
	if (entry)
		fault_hint(f, "--allow-slow takes the price");
	else
		fault_hint(f, "--no-exits avoids the exits, --allow-slow takes the price");
}

static int check_slow(struct call_sites *s, const struct python_call_info *info, struct fault *f)
{
	const struct python_call_site *slow[2] = {0};
	uint64_t slow_ns[2] = {0};

	for (uint32_t i = 0; i < info->nr_sites; i++) {
		const struct python_call_site *site = &info->sites[i];
		bool exit = !is_entry(site);
		uint64_t ns;

		if (is_left_out(s, site))
			continue;
		ns = expected_ns(site, measure(s, site));
		if ((site->emulated && ns <= SLOW_NS) || ns <= slow_ns[exit])
			continue;
		slow[exit] = site;
		slow_ns[exit] = ns;
	}
	if (!slow[0] && !slow[1])
		return 0;
	say_slow(slow[0], slow_ns[0], slow[1], slow_ns[1], f);
	if (!s->o->calls.allow_slow)
		return -EOPNOTSUPP;
	if (!s->told_slow)
		report_note(s->o, "%s", f->text);
	s->told_slow = true;
	return 0;
}

static void say_unseen_yields(struct call_sites *s, const struct python_call_info *info)
{
	for (uint32_t i = 0; i < info->nr_sites && !s->told_yields; i++) {
		const struct python_call_site *site = &info->sites[i];

		if (s->o->calls.no_exits || !is_left_out(s, site))
			continue;
		s->told_yields = true;
		report_note(s->o,
			    "yields are learnt from what runs next%s: a probe in %s would be "
			    "single-stepped, 10 us each (--allow-slow)",
			    s->o->calls.log ? ", and not logged" : "", site->name);
	}
}

/* ns of the dearest; an estimate that is too high is the better one. */
static void add_costs(struct call_sites *s, const struct python_call_info *info)
{
	for (uint32_t i = 0; i < info->nr_sites; i++) {
		const struct python_call_site *site = &info->sites[i];
		double ns = (double)expected_ns(site, measure(s, site));

		if (is_entry(site) && is_usual(info, site))
			s->entry_ns = max(s->entry_ns, ns);
		else if (!is_entry(site) && !is_left_out(s, site) && is_usual(info, site))
			s->exit_ns = max(s->exit_ns, ns);
	}
}

/* To the table, once for each file. */
static int list(struct call_sites *s, pid_t pid, const struct python_call_info *info)
{
	struct probed_file *more;

	for (size_t i = 0; i < s->nr_files; i++)
		if (s->files[i].dev == info->dev && s->files[i].inode == info->inode)
			return 0;
	more = reallocarray(s->files, s->nr_files + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->files = more;
	s->files[s->nr_files++] = (struct probed_file){info->dev, info->inode};
	for (uint32_t i = 0; i < info->nr_sites; i++) {
		const struct python_call_site *site = &info->sites[i];
		struct call_site row = {
			.pid = pid,
			.name = (char *)site->name,
			.instruction = (char *)x86_name(site->bytes, site->length),
			.emulated = site->emulated,
			.cost_ns = measure(s, site),
		};

		if (is_left_out(s, site))
			continue;
		if (calls_add_site(s->table, &row))
			return -ENOMEM;
	}
	return 0;
}

int call_sites_attach(struct call_sites *s, pid_t pid, struct python *p, struct fault *f)
{
	struct trace_call_site sites[PYTHON_MAX_SITES];
	struct python_call_info info;
	size_t nr = 0;
	int err = python_call_info(p, &info, f);

	/* EAGAIN: where to probe is known */
	if (err && err != -EAGAIN)
		return err;
	err = check_slow(s, &info, f);
	if (err)
		return err;
	say_unseen_yields(s, &info);
	add_costs(s, &info);
	if (list(s, pid, &info))
		return fault_errno(f, ENOMEM, "cannot attach to %s", info.file_name);
	for (uint32_t i = 0; i < info.nr_sites && i < PYTHON_MAX_SITES; i++) {
		if (is_left_out(s, &info.sites[i]) ||
		    (s->entries_only && !is_entry(&info.sites[i])))
			continue;
		sites[nr++] = (struct trace_call_site){
			.offset = info.sites[i].offset,
			.role = (enum pmt_call_site)info.sites[i].role,
			.exclusive = !info.sites[i].shared,
			.name = info.sites[i].name,
		};
	}
	return trace_attach_calls(s->trace, s->o->children || s->o->program ? 0 : pid, info.file_fd,
				  info.dev, info.inode, info.file_name, sites, nr, f);
}
