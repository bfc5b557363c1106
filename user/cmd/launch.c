/* SPDX-License-Identifier: MIT */
#include "cmd/launch.h"

#include "cmd/account.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* SUDO_UID and SUDO_GID. 1: *ret is that user; 0: stay who we are. */
static int user_behind_sudo(struct account *ret)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
	uint64_t u, g;
	int err;

	if (geteuid() || !uid || !gid || text_parse_u64(uid, 1, UINT32_MAX - 1, &u) ||
	    text_parse_u64(gid, 0, UINT32_MAX - 1, &g))
		return 0;
	err = account_find((uid_t)u, (gid_t)g, ret);
	return err ? err : 1;
}

/* As execvp(3) would: a name with a slash as it is, else the first executable file on PATH. */
static char *resolve(const char *name)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	if (strchr(name, '/'))
		return strdup(name);
	for (const char *dir = path ? path : "/usr/local/bin:/usr/bin:/bin"; dir;) {
		size_t n = strcspn(dir, ":");
		struct stat st;

		if (n + strlen(name) + 2 < sizeof(file)) {
			snprintf(file, sizeof(file), "%.*s/%s", n ? (int)n : 1, n ? dir : ".",
				 name);
			if (!stat(file, &st) && S_ISREG(st.st_mode) && !access(file, X_OK))
				return strdup(file);
		}
		dir = dir[n] ? dir + n + 1 : NULL;
	}
	errno = ENOENT;
	return NULL;
}

static void child(const struct launch *l, int go, int failed, char **argv,
		  const struct account *user)
{
	sigset_t none;
	char go_on;
	int err;

	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(go, &go_on, 1) != 1) /* the tool has ended: nothing to run */
		_exit(125);
	if (user && account_become(user))
		_exit(125);
	execv(l->file, argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) != sizeof(err))
		_exit(125);
	_exit(err == ENOENT ? 127 : 126);
}

/* In the parent, with the pipes; the child never returns. */
static int start(struct launch *l, char **argv, const struct account *user, struct fault *f)
{
	int go[2], failed[2], err;

	if (pipe2(go, O_CLOEXEC))
		return fault_errno(f, errno, "pipe");
	if (pipe2(failed, O_CLOEXEC)) {
		err = errno;
		close(go[0]);
		close(go[1]);
		return fault_errno(f, err, "pipe");
	}
	l->pid = fork();
	if (l->pid == 0) {
		close(go[1]);
		close(failed[0]);
		child(l, go[0], failed[1], argv, user);
	}
	err = l->pid < 0 ? fault_errno(f, errno, "fork") : 0;
	close(go[0]);
	close(failed[1]);
	l->go_fd = go[1];
	l->failed_fd = failed[0];
	return err;
}

int launch_prepare(struct launch *ret, char **argv, bool as_root, struct fault *f)
{
	struct launch l = {.go_fd = -1, .failed_fd = -1};
	struct account user = {0};
	int drop = as_root ? 0 : user_behind_sudo(&user), err;
	char shown[256];

	if (drop < 0)
		return fault_errno(f, -drop, "the user behind sudo");
	l.file = resolve(argv[0]);
	if (!l.file) {
		err = errno;
		text_escape(shown, sizeof(shown), argv[0], strlen(argv[0]));
		err = err == ENOENT ? fault_set(f, ENOENT, "%s: not found on PATH%s", shown,
						getenv("SUDO_UID") ? " (sudo has its own)" : "")
				    : fault_errno(f, err, "%s", shown);
	} else {
		if (drop)
			snprintf(l.user, sizeof(l.user), "%s", user.name ? user.name : "its user");
		err = start(&l, argv, drop ? &user : NULL, f);
	}
	account_done(&user);
	if (err)
		launch_done(&l);
	else
		*ret = l;
	return err;
}

void launch_go(struct launch *l)
{
	if (write(l->go_fd, "g", 1) != 1)
		return; /* it is gone already: its end will be noticed as any other */
	close(l->go_fd);
	l->go_fd = -1;
}

int launch_exec_error(struct launch *l)
{
	int err = 0;

	if (l->failed_fd < 0 || read(l->failed_fd, &err, sizeof(err)) != sizeof(err))
		return 0;
	return err;
}

void launch_done(struct launch *l)
{
	if (l->go_fd >= 0) {
		close(l->go_fd); /* end of file: the child ends by itself */
		if (l->pid > 0)
			waitpid(l->pid, NULL, 0);
	}
	if (l->failed_fd >= 0)
		close(l->failed_fd);
	free(l->file);
	*l = (struct launch){.go_fd = -1, .failed_fd = -1};
}

int launch_exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
