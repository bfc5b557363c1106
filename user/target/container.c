/* SPDX-License-Identifier: MIT */
/*
 * Container ids in /proc/PID/cgroup. Every runtime puts its id into the cgroup path, each in its
 * own way; in common they have 64 hex digits.
 *
 *   0::/system.slice/docker-3f2a...64.scope             docker, systemd driver
 *   4:memory:/docker/3f2a...64                          docker, cgroupfs driver
 *   0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b_..._9.slice/
 *           cri-containerd-3f2a...64.scope              Kubernetes, containerd; crio-, docker-
 *   0::/...-pod1b_..._9.slice:cri-containerd:3f2a...64  the same, containerd without systemd driver
 *   0::/kubepods/besteffort/pod1b-...-9/3f2a...64       Kubernetes, cgroupfs driver
 *   0::/machine.slice/libpod-3f2a...64.scope/container  podman
 *   0::/lxc.payload.web1/...   0::/lxc/web1             LXC, LXD
 *   0::/machine.slice/machine-web1.scope/payload        systemd-nspawn
 *   0::/machine.slice/systemd-nspawn@web1.service/payload
 */
#include "target/proc.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ID_HEX	 64
#define UID_LEN	 36 /* 8-4-4-4-12 */
#define NAME_LEN 128

/* What one line of the file said; empty strings for what it did not say. */
struct found {
	char id[ID_HEX + 1];
	char pod[UID_LEN + 1];
	char name[NAME_LEN + 16];
};

static bool is_id(const char *s, size_t len)
{
	return len == ID_HEX && strspn(s, "0123456789abcdef") >= ID_HEX;
}

/* "1b9f..." after "pod": a UUID with '-' or, in names of systemd, '_'; static pods: 32 digits */
static size_t pod_uid_length(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && (isxdigit((unsigned char)s[n]) || s[n] == '-' || s[n] == '_'))
		n++;
	return n == 32 || n == UID_LEN ? n : 0;
}

static void parse_component(const char *s, size_t len, struct found *f)
{
	static const char *const names[][2] = {
		{"lxc.payload.", "lxc:"}, /* since LXC 4 */
		{"systemd-nspawn@", "machine:"},
		{"machine-", "machine:"},
	};

	/* The id is what follows the last '-' and precedes ".scope"; runtimes differ before it. */
	for (size_t i = 0; i + ID_HEX <= len; i++) {
		if ((i && s[i - 1] != '-' && s[i - 1] != ':') || !is_id(s + i, ID_HEX))
			continue;
		if (i + ID_HEX == len || s[i + ID_HEX] == '.')
			memcpy(f->id, s + i, ID_HEX);
	}
	for (size_t i = 0; i + 3 < len; i++) {
		size_t n;

		if (memcmp(s + i, "pod", 3) || (i && s[i - 1] != '-'))
			continue;
		n = pod_uid_length(s + i + 3, len - i - 3);
		if (!n || (i + 3 + n < len && s[i + 3 + n] != '.'))
			continue;
		for (size_t k = 0; k < n; k++)
			f->pod[k] = s[i + 3 + k] == '_' ? '-' : s[i + 3 + k];
		f->pod[n] = 0;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i][0]);
		size_t suffix = 0;

		if (len <= n || memcmp(s, names[i][0], n) || f->name[0])
			continue;
		/* "machine-qemu\x2d1\x2dweb.scope" is a virtual machine: its processes are here */
		if (len > n + 4 && !memcmp(s + n, "qemu", 4) && !memcmp(s, "machine-", 8))
			continue;
		if (len > 6 && !memcmp(s + len - 6, ".scope", 6))
			suffix = 6;
		else if (len > 8 && !memcmp(s + len - 8, ".service", 8))
			suffix = 8;
		else if (s[0] != 'l')
			continue; /* "machine-x.slice" and the like */
		if (len - suffix <= n)
			continue;
		snprintf(f->name, sizeof(f->name), "%s%.*s", names[i][1],
			 (int)min(len - suffix - n, (size_t)NAME_LEN), s + n);
	}
}

static void parse_path(const char *p, size_t len, struct found *f)
{
	bool after_lxc = false;

	for (size_t i = 0; i < len;) {
		size_t n = 0;

		while (i + n < len && p[i + n] != '/')
			n++;
		if (after_lxc && n && !f->name[0])
			snprintf(f->name, sizeof(f->name), "lxc:%.*s",
				 (int)min(n, (size_t)NAME_LEN), p + i);
		after_lxc = n == 3 && !memcmp(p + i, "lxc", 3);
		parse_component(p + i, n, f);
		i += n + 1;
	}
}

char *proc_container(const char *cgroup)
{
	char text[sizeof("pod/") + UID_LEN + ID_HEX];
	struct found f = {0};

	for (const char *line = cgroup; *line;) {
		size_t len = strcspn(line, "\n");
		/* "4:memory:/path": the path follows the second colon and may hold more of them */
		const char *path = memchr(line, ':', len);

		if (path)
			path = memchr(path + 1, ':', len - (size_t)(path + 1 - line));
		if (path)
			parse_path(path + 1, len - (size_t)(path + 1 - line), &f);
		line += len + (line[len] == '\n');
	}
	if (f.id[0] && f.pod[0]) {
		snprintf(text, sizeof(text), "pod%s/%s", f.pod, f.id);
		return strdup(text);
	}
	if (f.pod[0]) {
		snprintf(text, sizeof(text), "pod%s", f.pod);
		return strdup(text);
	}
	if (f.id[0])
		return strdup(f.id);
	return f.name[0] ? strdup(f.name) : NULL;
}
