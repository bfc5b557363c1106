/* SPDX-License-Identifier: MIT */
/*
 * Replays a corpus without libFuzzer: each file of the directories given goes once through the
 * harness that this is linked with. A crash, a leak or a sanitizer report is the failure; the name
 * of the file is printed before, so that it is known.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void replay(const char *path)
{
	FILE *in = fopen(path, "re");
	struct stat st;
	uint8_t *data;
	size_t len;

	if (!in || fstat(fileno(in), &st)) {
		perror(path);
		exit(1);
	}
	/* exactly as long as the input: reading past its end is noticed */
	data = malloc(st.st_size ? (size_t)st.st_size : 1);
	len = fread(data, 1, (size_t)st.st_size, in);
	fclose(in);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
}

int main(int argc, char **argv)
{
	unsigned int nr = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *e;

		if (!dir) {
			perror(argv[i]);
			return 1;
		}
		while ((e = readdir(dir))) {
			char path[4096];

			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			replay(path);
			nr++;
		}
		closedir(dir);
	}
	if (!nr) {
		fprintf(stderr, "no files to replay\n");
		return 1;
	}
	return 0;
}
