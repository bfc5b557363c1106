/* SPDX-License-Identifier: MIT */
/*
 * Texts of /proc other than maps: stat, status, cgroup. The cgroup paths are those of the runtimes'
 * documentation.
 */
#include "fixture.h"

#include "target/proc.h"

#include <errno.h>

static void container_ids(void **state)
{
#define HEX "3f2a9c01b2c3d4e5f60718293a4b5c6d7e8f90010203040506070809aabbccdd"
	static const char *const cases[][2] = {
		{"0::/system.slice/docker-" HEX ".scope\n", HEX},
		{"12:pids:/docker/" HEX "\n4:memory:/docker/" HEX "\n1:name=systemd:/docker/" HEX
		 "\n0::/\n",
		 HEX},
		{"0::/docker/" HEX "/init\n", HEX},
		{"0::/machine.slice/libpod-" HEX ".scope/container\n", HEX},
		{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" HEX
		 ".scope\n",
		 HEX},
		{"0::/kubepods.slice/kubepods-burstable.slice/"
		 "kubepods-burstable-pod1b9f3c60_0a1b_4c2d_8e3f_001122334455.slice/"
		 "cri-containerd-" HEX ".scope\n",
		 "pod1b9f3c60-0a1b-4c2d-8e3f-001122334455/" HEX},
		{"4:memory:/kubepods/besteffort/pod1b9f3c60-0a1b-4c2d-8e3f-001122334455/" HEX "\n",
		 "pod1b9f3c60-0a1b-4c2d-8e3f-001122334455/" HEX},
		{"0::/kubepods.slice/kubepods-pod0123456789abcdef0123456789abcdef.slice/crio-" HEX
		 ".scope\n",
		 "pod0123456789abcdef0123456789abcdef/" HEX},
		{"0::/system.slice/containerd.service/kubepods-burstable-"
		 "pod1b9f3c60_0a1b_4c2d_8e3f_001122334455.slice:cri-containerd:" HEX "\n",
		 "pod1b9f3c60-0a1b-4c2d-8e3f-001122334455/" HEX},
		{"0::/kubepods/pod1b9f3c60-0a1b-4c2d-8e3f-001122334455\n",
		 "pod1b9f3c60-0a1b-4c2d-8e3f-001122334455"},
		{"0::/lxc/web1\n", "lxc:web1"},
		{"0::/lxc.payload.web1/system.slice/cron.service\n", "lxc:web1"},
		{"0::/machine.slice/machine-web1.scope/payload\n", "machine:web1"},
		{"0::/machine.slice/systemd-nspawn@web1.service/payload\n", "machine:web1"},
		{"0::/machine.slice/machine-qemu\\x2d1\\x2dvm.scope\n", NULL},
		{"0::/\n", NULL},
		{"", NULL},
		{"0::/user.slice/user-1000.slice/session-2.scope\n", NULL},
		{"0::/system.slice/podman.service\n", NULL},
		{"0::/podinfo/pods\n", NULL},
		{"0::/x/" HEX "0\n", NULL},
		{"no colons\n::\n:\n", NULL},
	};
#undef HEX
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *id = proc_container(cases[i][0]);

		if (!cases[i][1] != !id || (id && strcmp(id, cases[i][1])))
			fail_msg("%s: %s", cases[i][0], id ? id : "NULL");
		free(id);
	}
}

static void stat_and_status_text(void **state)
{
	struct proc_stat st = {.ppid = 5};
	pid_t inner = 0;

	assert_int_equal(proc_parse_stat("42 (a) R 7 (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 "
					 "17 18 88 20\n",
					 &st),
			 0);
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.ppid, 1);
	assert_false(st.kernel_thread);
	assert_int_equal(st.nr_threads, 17);
	assert_int_equal(st.start_ticks, 88);
	assert_int_equal(
		proc_parse_stat("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 9\n",
				&st),
		0);
	assert_true(st.kernel_thread);
	assert_int_equal(proc_parse_stat("42 (a) S 1 2 3", &st), -EINVAL);
	assert_int_equal(proc_parse_stat("42 (a S 1 2 3", &st), -EINVAL);
	assert_int_equal(proc_parse_stat("", &st), -EINVAL);
	assert_int_equal(proc_parse_stat(")", &st), -EINVAL);
	assert_int_equal(proc_parse_stat(") S", &st), -EINVAL);
	assert_int_equal(proc_status_nspid("Name:\tx\nNSpid:\t4242\t70\t7\nVmPTE:\t1 kB\n", &inner),
			 3);
	assert_int_equal(inner, 7);
	assert_int_equal(proc_status_nspid("Name:\tNSpid:\n", &inner), 0);
	assert_null(proc_status_value("Name:\tx\n", "Nam"));
	assert_null(proc_status_value("", "Name"));
	assert_int_equal(proc_parse_pid("4194304"), 4194304);
	assert_int_equal(proc_parse_pid("4194305"), 0);
	assert_int_equal(proc_parse_pid("99999999999999999999"), 0);
	assert_int_equal(proc_parse_pid("self"), 0);
	assert_int_equal(proc_parse_pid("0"), 0);
	assert_int_equal(proc_parse_pid(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(container_ids),
		cmocka_unit_test(stat_and_status_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
