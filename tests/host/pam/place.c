/* SPDX-License-Identifier: MIT */

/*
 * Linked into the module that the tests load: the helper is looked for beside
 * the module, so that each test may put one of its own there.
 */

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>

int __real_posix_spawn(pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *files,
    const posix_spawnattr_t *attributes, char *const argv[],
    char *const environment[]);
int __wrap_posix_spawn(pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *files,
    const posix_spawnattr_t *attributes, char *const argv[],
    char *const environment[]);

int
__wrap_posix_spawn(pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *files,
    const posix_spawnattr_t *attributes, char *const argv[],
    char *const environment[])
{
	const char *name = strrchr(path, '/'), *end;
	char place[PATH_MAX];
	Dl_info info;

	if (dladdr((const void *)&__wrap_posix_spawn, &info) == 0)
		return ENOENT;
	end = strrchr(info.dli_fname, '/');
	(void)snprintf(place, sizeof(place), "%.*s%s",
	    (int)(end - info.dli_fname), info.dli_fname, name);
	return __real_posix_spawn(pid, place, files, attributes, argv,
	    environment);
}
