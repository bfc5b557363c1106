/* SPDX-License-Identifier: MIT */
/*
 * malloc's structures by version, x86-64. Read off malloc/malloc.c and malloc/arena.c of each and checked
 * against the debug information of 2.31, 2.36, 2.41 and 2.43.
 *
 *   2.32  links of lists are mixed with their addresses
 *   2.35  heap_info and malloc_par grow: huge pages
 *   2.42  tcache has bins for large chunks too and counts downwards
 *   2.43  no fastbins any more; malloc_par.thp_mode; mmapped chunks laid out anew
 */
#include "glibc/internal.h"

#include "base/cleanup.h"

/* malloc_par before 2.35, and since */
#define PAR_31 .trim_threshold = -72, .mmap_threshold = -56, .n_mmaps = -32, .no_dyn_threshold = -20
#define PAR_35                                                                                 \
	.trim_threshold = -96, .mmap_threshold = -80, .n_mmaps = -36, .no_dyn_threshold = -24, \
	.thp_pagesize = -56
#define PAR_43                                                                                  \
	.trim_threshold = -104, .mmap_threshold = -88, .n_mmaps = -36, .no_dyn_threshold = -24, \
	.thp_pagesize = -56

#define STATE_31 .bins = 112, .state_bytes = 2200, .has_fastbins = true
#define STATE_43 .bins = 24, .state_bytes = 2112

static const struct glibc_layout layouts[] = {
	{.minor = 31, STATE_31, .heap_info_bytes = 32, .tcache_bins = 64, PAR_31},
	{.minor = 32,
	 STATE_31,
	 .heap_info_bytes = 32,
	 .safe_linking = true,
	 .tcache_bins = 64,
	 PAR_31},
	{.minor = 35,
	 STATE_31,
	 .heap_info_bytes = 48,
	 .safe_linking = true,
	 .tcache_bins = 64,
	 PAR_35},
	{.minor = 42,
	 STATE_31,
	 .heap_info_bytes = 48,
	 .safe_linking = true,
	 .tcache_bins = 76,
	 .tcache_remaining = true,
	 PAR_35},
	{.minor = 43,
	 STATE_43,
	 .heap_info_bytes = 48,
	 .safe_linking = true,
	 .tcache_bins = 76,
	 .tcache_remaining = true,
	 .mmapped_less = true,
	 PAR_43},
};

const struct glibc_layout *glibc_layout(unsigned int minor)
{
	const struct glibc_layout *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(layouts) && layouts[i].minor <= minor; i++)
		found = &layouts[i];
	return found;
}
