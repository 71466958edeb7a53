/* SPDX-License-Identifier: MIT */

/*
 * A module of PAM between libpam and the one whose path is its first argument:
 * the host gets to know when that one begins and ends, and its very own code.
 */

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#include <security/pam_modules.h>

/* The host's; see login.c. */
void login_enter(void);
void login_leave(int code);

typedef int authenticate(pam_handle_t *pamh, int flags, int argc,
    const char **argv);

int
pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc,
    const char **argv)
{
	void *module = dlopen(argv[0], RTLD_NOW);
	authenticate *f;
	int r;

	f = module != NULL ? (authenticate *)(uintptr_t)dlsym(module,
	    "pam_sm_authenticate") : NULL;
	if (f == NULL)
		return PAM_SYSTEM_ERR;
	login_enter();
	r = f(pamh, flags, argc - 1, argv + 1);
	login_leave(r);
	dlclose(module);
	return r;
}

int
pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}
