/* SPDX-License-Identifier: MIT */
/*
 * Writes the picture of memory made by hand to standard output.
 *
 *	sample_map svg|blocks|ascii|colour KIND [WIDTH]
 *
 * KIND: fragmented, old, hostile, many, sparse, empty (tests/unit/map_fixture.h).
 */
#include "../unit/map_fixture.h"

#include "output/explain_map.h"

int main(int argc, char **argv)
{
	struct explain_map_text how = {.utf8 = true};
	struct map_case c;
	int err;

	if (argc < 3) {
		fprintf(stderr, "usage: sample_map svg|blocks|ascii|colour KIND [WIDTH]\n");
		return 2;
	}
	map_case_open(&c, argv[2]);
	how.width = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	how.utf8 = strcmp(argv[1], "ascii") != 0;
	how.colour = !strcmp(argv[1], "colour");
	err = c.err;
	if (!err && !strcmp(argv[1], "svg"))
		err = explain_map_svg(stdout, &c.e, &c.map);
	else if (!err)
		err = explain_map_text(stdout, &c.e, &c.map, &how);
	map_case_close(&c);
	return err ? 1 : 0;
}
