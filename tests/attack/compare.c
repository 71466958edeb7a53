/* SPDX-License-Identifier: MIT */

/*
 * Look a fingerprint up in PAM's map once, for whoever counts what that takes:
 *
 *	compare MAP USER FINGERPRINT
 */

#include <err.h>
#include <stdio.h>

#include "error.h"
#include "secret.h"
#include "../../module/pam/map.h"

int
main(int argc, char **argv)
{
	struct mn_error error = MN_ERROR_INIT;
	struct mn_map_found found;

	if (argc != 4)
		errx(2, "usage: compare MAP USER FINGERPRINT");
	if (!mn_secret_init())
		errx(1, "no libsodium");
	if (mn_map_find(argv[1], argv[2], argv[3], &found, &error) != 0)
		errx(1, "%s is no map", argv[1]);
	(void)printf("%d %d\n", found.user, found.token);
	return 0;
}
