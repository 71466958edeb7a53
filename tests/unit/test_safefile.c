/* SPDX-License-Identifier: MIT */

/*
 * Files and folders as they should not be, each made for real.
 *
 * A layout is a script that is run in a fresh folder of root's, a path, and
 * the very line that must refuse it.  Where that line ends in a command, the
 * command is run as it stands, and then the file must be accepted.  As a plain
 * user, what needs root is skipped.
 *
 * Link with -Wl,--wrap= for openat, fstat, readlinkat, read and mn_secret_new.
 * MONIME_TEST_ROUNDS is the number of opens in the swap test.
 */

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "safefile.h"

#define NOBODY		65534
#define SKIPPED		77

/* How a layout is read. */
enum {
	SECRET = 1,
	CALLER = 2,
	STICKY = 4,
	SYSTEMD = 8,
	FOLDER = 16,		/* by mn_safefile_folder() */
	AS_NOBODY = 32,		/* by a process of uid and gid NOBODY */
	AS_SETUID = 64,		/* real uid NOBODY, effective uid 0 */
	AS_SETGID = 128,	/* uid NOBODY, its gids differ */
	MOUNTS = 256,		/* in a mount namespace of its own */
	MEND = 512,		/* the line ends in a command that mends it */
	ANYONE = 1024,		/* needs neither root nor a folder */
	MISSING = 2048,
	ANYTHING = 4096,	/* whatever stands in it */
	BASH = 8192		/* the command needs bash */
};

struct layout {
	const char *name;
	int how;
	const char *make;	/* the script */
	const char *path;	/* below the folder, or itself from "=" on */
	int code;
	const char *line;	/* {} is the folder */
	const char *then;	/* what is left to do after the command */
	const char *again;	/* what is read after it, unless path */
};

#define MUST_BE_0600 \
	"; a file that holds a secret must be 0600: chmod 0600 {}/token"
#define MAY_NOT_WRITE	"; nobody but its owner may write to it: "
#define MAY_NOT_ADD \
	"; nobody but its owner may write to a folder on the way: "
#define NOT_STICKY \
	"; sticky or not, nobody but its owner may write to a folder on the " \
	"way; keep the file in a folder of root's and name that: mv -i "
#define ROOTS		"; it must be root's: chown root:root "
#define IN_ITS_PLACE	"; put the file itself in its place: rm "
#define REGULAR		"; a regular file is wanted here: mv "
#define STICKY_ROOTS \
	"; what is read there must be root's: chown -h root:root "
#define NEEDS_ACL	"command -v setfacl >/dev/null || exit 77; "
#define KUBERNETES \
	"mkdir v; mount -t tmpfs -o mode=1777 tmpfs v; mkdir v/..2026_x; " \
	"good v/..2026_x/token; ln -s ..2026_x v/..data; " \
	"ln -s ..data/token v/token; "
#define SYSTEMDS \
	"mkdir c; mount -t tmpfs -o mode=0755 tmpfs c; good c/token; "
#define READ_ONLY	"mount -o remount,bind,ro c"

static const struct layout layouts[] = {
	/* What is accepted. */
	{ "0600_is_accepted", SECRET, "good token", "token",
	    0, NULL, NULL, NULL },
	{ "0400_is_accepted", SECRET, "good token; chmod 0400 token", "token",
	    0, NULL, NULL, NULL },
	{ "0644_without_a_secret_is_accepted", 0,
	    "good token; chmod 0644 token", "token",
	    0, NULL, NULL, NULL },
	{ "empty_file_is_accepted", SECRET | ANYTHING,
	    ": >token; chmod 0600 token", "token",
	    0, NULL, NULL, NULL },
	{ "65536_bytes_are_accepted", SECRET | ANYTHING,
	    "head -c 65536 /dev/zero >token; chmod 0600 token", "token",
	    0, NULL, NULL, NULL },
	{ "closed_acl_is_accepted", SECRET,
	    NEEDS_ACL "good token; setfacl -m u:65534:r token; "
	    "chmod 0600 token", "token",
	    0, NULL, NULL, NULL },
	{ "root_owned_link_is_accepted", SECRET,
	    "good token; ln -s token link", "link",
	    0, NULL, NULL, NULL },
	{ "absolute_link_is_accepted", SECRET,
	    "good token; ln -s $PWD/token link", "link",
	    0, NULL, NULL, NULL },
	{ "link_upwards_is_accepted", SECRET,
	    "mkdir a b; good b/token; ln -s ../b a/link", "a/link/token",
	    0, NULL, NULL, NULL },
	{ "link_above_the_root_is_accepted", SECRET,
	    "mkdir a; good token; "
	    "ln -s ../../../../../../../../..$PWD/token a/link", "a/link",
	    0, NULL, NULL, NULL },
	{ "link_with_dots_and_slashes_is_accepted", SECRET,
	    "mkdir a; good a/token; ln -s .//a/././/token link", "link",
	    0, NULL, NULL, NULL },
	{ "dotdot_behind_a_link_leads_where_the_kernel_goes", SECRET,
	    "mkdir -p far/away; good far/token; printf no >token; "
	    "ln -s far/away there; ln -s there/../token link; "
	    "test \"$(cat link)\" = token", "link",
	    0, NULL, NULL, NULL },
	{ "link_upwards_from_a_dot_is_accepted", SECRET,
	    "mkdir -p a/b; good a/token; ln -s a/b/.//..//token link", "link",
	    0, NULL, NULL, NULL },
	{ "chain_of_8_links_is_accepted", SECRET,
	    "good l9; for i in 1 2 3 4 5 6 7 8; do "
	    "ln -s l$((i + 1)) l$i; done", "l1",
	    0, NULL, NULL, NULL },
	{ "folder_is_accepted", SECRET | FOLDER, "mkdir d", "d",
	    0, NULL, NULL, NULL },
	{ "link_to_a_folder_is_accepted", SECRET | FOLDER,
	    "mkdir d; ln -s d/ link", "link",
	    0, NULL, NULL, NULL },
	{ "callers_file_is_accepted_where_the_rule_says_so",
	    SECRET | CALLER | AS_NOBODY,
	    "mkdir d; good d/token; chown -R 65534 d", "d/token",
	    0, NULL, NULL, NULL },
	{ "kubernetes_volume_is_accepted_where_the_rule_says_so",
	    SECRET | STICKY | MOUNTS, KUBERNETES, "v/token",
	    0, NULL, NULL, NULL },
	{ "group_writable_folder_on_a_read_only_mount_is_accepted",
	    SECRET | MOUNTS,
	    SYSTEMDS "chmod 0775 c; " READ_ONLY, "c/token",
	    0, NULL, NULL, NULL },
	{ "systemd_credential_is_accepted", SECRET | SYSTEMD | MOUNTS,
	    SYSTEMDS "chmod 0440 c/token; " READ_ONLY, "c/token",
	    0, NULL, NULL, NULL },
	{ "systemd_credential_with_an_acl_is_accepted",
	    SECRET | SYSTEMD | MOUNTS | AS_NOBODY,
	    NEEDS_ACL SYSTEMDS "chmod 0400 c/token; chmod 0500 c; "
	    "setfacl -m u:65534:r c/token || exit 77; "
	    "setfacl -m u:65534:rx c; " READ_ONLY, "c/token",
	    0, NULL, NULL, NULL },
	{ "systemd_credential_of_the_process_is_accepted",
	    SECRET | SYSTEMD | MOUNTS | AS_NOBODY,
	    SYSTEMDS "chmod 0400 c/token; chmod 0500 c; "
	    "chown -R 65534 c; " READ_ONLY, "c/token",
	    0, NULL, NULL, NULL },

	/* Modes of a file with a secret. */
	{ "group_readable_secret_is_refused_with_chmod", SECRET | MEND,
	    "good token; chmod 0640 token", "token", MONIME_EUNSAFE,
	    "{}/token: readable by group (mode 0640)" MUST_BE_0600,
	    NULL, NULL },
	{ "others_readable_secret_is_refused_with_chmod", SECRET | MEND,
	    "good token; chmod 0604 token", "token", MONIME_EUNSAFE,
	    "{}/token: readable by others (mode 0604)" MUST_BE_0600,
	    NULL, NULL },
	{ "group_writable_secret_is_refused_with_chmod", SECRET | MEND,
	    "good token; chmod 0620 token", "token", MONIME_EUNSAFE,
	    "{}/token: writable by group (mode 0620)" MUST_BE_0600,
	    NULL, NULL },
	{ "others_writable_secret_is_refused_with_chmod", SECRET | MEND,
	    "good token; chmod 0602 token", "token", MONIME_EUNSAFE,
	    "{}/token: writable by others (mode 0602)" MUST_BE_0600,
	    NULL, NULL },
	{ "secret_of_mode_0660_is_refused_with_chmod", SECRET | MEND,
	    "good token; chmod 0660 token", "token", MONIME_EUNSAFE,
	    "{}/token: readable and writable by group (mode 0660)"
	    MUST_BE_0600, NULL, NULL },
	{ "secret_of_mode_0644_is_refused_with_chmod", SECRET | MEND,
	    "good token; chmod 0644 token", "token", MONIME_EUNSAFE,
	    "{}/token: readable by group and others (mode 0644)"
	    MUST_BE_0600, NULL, NULL },
	{ "secret_of_mode_0444_is_refused_with_chmod", SECRET | MEND,
	    "good token; chmod 0444 token", "token", MONIME_EUNSAFE,
	    "{}/token: readable by group and others (mode 0444)"
	    MUST_BE_0600, NULL, NULL },
	{ "secret_of_mode_0777_is_refused_with_chmod", SECRET | MEND,
	    "good token; chmod 0777 token", "token", MONIME_EUNSAFE,
	    "{}/token: readable, writable and executable by group and others "
	    "(mode 0777)" MUST_BE_0600, NULL, NULL },
	{ "secret_of_mode_0642_is_refused_with_chmod", SECRET | MEND,
	    "good token; chmod 0642 token", "token", MONIME_EUNSAFE,
	    "{}/token: readable by group, writable by others (mode 0642)"
	    MUST_BE_0600, NULL, NULL },
	{ "setuid_secret_is_judged_by_its_other_bits", SECRET | MEND,
	    "good token; chmod 4610 token", "token", MONIME_EUNSAFE,
	    "{}/token: executable by group (mode 4610)" MUST_BE_0600,
	    NULL, NULL },
	{ "link_to_a_group_readable_secret_is_refused_with_chmod",
	    SECRET | MEND,
	    "good token; chmod 0640 token; ln -s token link", "link",
	    MONIME_EUNSAFE, "{}/token (on the way to {}/link): readable by "
	    "group (mode 0640)" MUST_BE_0600, NULL, NULL },
	{ "quote_in_a_name_is_quoted_in_the_command", SECRET | MEND,
	    "good \"it's a token\"; chmod 0640 it*", "it's a token",
	    MONIME_EUNSAFE, "{}/it's a token: readable by group (mode 0640); "
	    "a file that holds a secret must be 0600: "
	    "chmod 0600 '{}/it'\\''s a token'", NULL, NULL },
	{ "dollar_and_letter_beyond_ascii_are_quoted_in_the_command",
	    SECRET | MEND,
	    "good 'Bogot\303\241$(reboot)'; chmod 0640 B*",
	    "Bogot\303\241$(reboot)", MONIME_EUNSAFE,
	    "{}/Bogot\303\241$(reboot): readable by group (mode 0640); a file "
	    "that holds a secret must be 0600: "
	    "chmod 0600 '{}/Bogot\303\241$(reboot)'", NULL, NULL },
	{ "newline_in_a_name_makes_no_second_line", SECRET | MEND | BASH,
	    "good 'a\nb\\c'\"'\"; chmod 0640 a*", "a\nb\\c'",
	    MONIME_EUNSAFE, "{}/a\\x0ab\\c': readable by group (mode 0640); "
	    "a file that holds a secret must be 0600: "
	    "chmod 0600 $'{}/a\\x0ab\\\\c\\''", NULL, NULL },

	/* Modes of a file without one. */
	{ "group_writable_file_is_refused_with_chmod", MEND,
	    "good token; chmod 0664 token", "token", MONIME_EUNSAFE,
	    "{}/token: writable by group (mode 0664)" MAY_NOT_WRITE
	    "chmod go-w {}/token", NULL, NULL },
	{ "others_writable_file_is_refused_with_chmod", MEND,
	    "good token; chmod 0646 token", "token", MONIME_EUNSAFE,
	    "{}/token: writable by others (mode 0646)" MAY_NOT_WRITE
	    "chmod go-w {}/token", NULL, NULL },
	{ "file_of_mode_0666_is_refused_with_chmod", MEND,
	    "good token; chmod 0666 token", "token", MONIME_EUNSAFE,
	    "{}/token: writable by group and others (mode 0666)" MAY_NOT_WRITE
	    "chmod go-w {}/token", NULL, NULL },

	/* Access control lists. */
	{ "acl_of_a_secret_is_refused_with_setfacl", SECRET | MEND,
	    NEEDS_ACL "good token; setfacl -m u:65534:r token", "token",
	    MONIME_EUNSAFE, "{}/token: readable by group by an ACL (mode "
	    "0640); a file that holds a secret must be 0600 and have none: "
	    "setfacl -b {}/token", NULL, NULL },
	{ "acl_that_lets_write_to_a_file_is_refused_with_setfacl", MEND,
	    NEEDS_ACL "good token; setfacl -m u:65534:rw token", "token",
	    MONIME_EUNSAFE, "{}/token: writable by group by an ACL (mode "
	    "0660)" MAY_NOT_WRITE "setfacl -b {}/token", NULL, NULL },
	{ "acl_that_lets_write_to_a_folder_is_refused_with_setfacl",
	    SECRET | MEND,
	    NEEDS_ACL "mkdir d; good d/token; setfacl -m u:65534:rwx d",
	    "d/token", MONIME_EUNSAFE, "{}/d: writable by group by an ACL "
	    "(mode 0775)" MAY_NOT_ADD "setfacl -b {}/d", NULL, NULL },

	/* Owners. */
	{ "file_of_another_is_refused_with_chown", SECRET | MEND,
	    "good token; chown 1000 token", "token", MONIME_EUNSAFE,
	    "{}/token: a file of another owner (uid 1000)" ROOTS "{}/token",
	    NULL, NULL },
	{ "folder_of_another_is_refused_with_chown", SECRET | MEND,
	    "mkdir d; good d/token; chown 1000 d", "d/token", MONIME_EUNSAFE,
	    "{}/d: a folder of another owner (uid 1000)" ROOTS "{}/d",
	    NULL, NULL },
	{ "grandparent_of_another_is_refused_with_chown", SECRET | MEND,
	    "mkdir -p d/e/f; good d/e/f/token; chown 1000 d", "d/e/f/token",
	    MONIME_EUNSAFE,
	    "{}/d: a folder of another owner (uid 1000)" ROOTS "{}/d",
	    NULL, NULL },
	{ "folder_of_another_on_a_read_only_mount_is_refused",
	    SECRET | MOUNTS,
	    SYSTEMDS "chown 1000 c; " READ_ONLY, "c/token", MONIME_EUNSAFE,
	    "{}/c: a folder of another owner (uid 1000)" ROOTS "{}/c",
	    NULL, NULL },
	{ "callers_file_is_refused_where_the_rule_is_silent",
	    SECRET | AS_NOBODY,
	    "good token; chown 65534 token", "token", MONIME_EUNSAFE,
	    "{}/token: a file of another owner (uid 65534)" ROOTS "{}/token",
	    NULL, NULL },
	{ "callers_folder_is_refused_where_the_rule_is_silent",
	    SECRET | AS_NOBODY,
	    "mkdir d; good d/token; chown -R 65534 d", "d/token",
	    MONIME_EUNSAFE,
	    "{}/d: a folder of another owner (uid 65534)" ROOTS "{}/d",
	    NULL, NULL },
	{ "strangers_file_is_refused_to_the_caller",
	    SECRET | CALLER | AS_NOBODY,
	    "good token; chown 1000 token", "token", MONIME_EUNSAFE,
	    "{}/token: a file of another owner (uid 1000); it must be root's "
	    "or uid 65534's: chown root:root {}/token", NULL, NULL },
	{ "callers_file_is_refused_in_a_setuid_process",
	    SECRET | CALLER | AS_SETUID | MEND,
	    "good token; chown 65534 token", "token", MONIME_EUNSAFE,
	    "{}/token: a file of another owner (uid 65534)" ROOTS "{}/token",
	    NULL, NULL },
	{ "callers_folder_is_refused_in_a_setgid_process",
	    SECRET | CALLER | AS_SETGID,
	    "mkdir d; good d/token; chown -R 65534 d", "d/token",
	    MONIME_EUNSAFE,
	    "{}/d: a folder of another owner (uid 65534)" ROOTS "{}/d",
	    NULL, NULL },

	/* Folders that others may write to. */
	{ "group_writable_folder_is_refused_with_chmod", SECRET | MEND,
	    "mkdir d; good d/token; chmod 0775 d", "d/token", MONIME_EUNSAFE,
	    "{}/d: writable by group (mode 0775)" MAY_NOT_ADD
	    "chmod go-w {}/d", NULL, NULL },
	{ "world_writable_ancestor_is_refused_with_chmod", SECRET | MEND,
	    "mkdir -p d/e; good d/e/token; chmod 0777 d", "d/e/token",
	    MONIME_EUNSAFE, "{}/d: writable by group and others (mode 0777)"
	    MAY_NOT_ADD "chmod go-w {}/d", NULL, NULL },
	{ "sticky_ancestor_is_refused_with_mv", SECRET | MEND | MOUNTS,
	    "mkdir d; good d/token; chmod 1777 d; "
	    "mount -t tmpfs -o mode=0755 tmpfs /etc; mkdir /etc/monime",
	    "d/token", MONIME_EUNSAFE,
	    "{}/d: writable by group and others (mode 1777)" NOT_STICKY
	    "{}/d/token /etc/monime", NULL, "=/etc/monime/token" },
	{ "kubernetes_volume_is_refused_where_the_rule_is_silent",
	    SECRET | MOUNTS, KUBERNETES, "v/token", MONIME_EUNSAFE,
	    "{}/v: writable by group and others (mode 1777)" NOT_STICKY
	    "{}/v/token /etc/monime", NULL, NULL },
	{ "group_writable_folder_is_refused_to_a_folders_reader",
	    SECRET | FOLDER | MEND,
	    "mkdir d; chmod 0770 d", "d", MONIME_EUNSAFE,
	    "{}/d: writable by group (mode 0770)" MAY_NOT_ADD
	    "chmod go-w {}/d", NULL, NULL },

	/* Sticky folders where the rule takes them. */
	{ "kubernetes_folder_of_another_is_refused",
	    SECRET | STICKY | MOUNTS | MEND,
	    KUBERNETES "chown 1000 v/..2026_x", "v/token", MONIME_EUNSAFE,
	    "{}/v/..2026_x (on the way to {}/v/token): of another owner, in a "
	    "sticky folder that others may add to (uid 1000)" STICKY_ROOTS
	    "{}/v/..2026_x", NULL, NULL },
	{ "kubernetes_data_link_of_another_is_refused",
	    SECRET | STICKY | MOUNTS | MEND,
	    KUBERNETES "chown -h 1000 v/..data", "v/token", MONIME_EUNSAFE,
	    "{}/v/..data (on the way to {}/v/token): of another owner, in a "
	    "sticky folder that others may add to (uid 1000)" STICKY_ROOTS
	    "{}/v/..data", NULL, NULL },
	{ "kubernetes_file_link_of_another_is_refused",
	    SECRET | STICKY | MOUNTS | MEND,
	    KUBERNETES "chown -h 1000 v/token", "v/token", MONIME_EUNSAFE,
	    "{}/v/token: of another owner, in a "
	    "sticky folder that others may add to (uid 1000)" STICKY_ROOTS
	    "{}/v/token", NULL, NULL },
	{ "callers_file_in_a_sticky_folder_is_refused",
	    SECRET | STICKY | CALLER | AS_NOBODY,
	    "mkdir d; good d/token; chmod 1777 d; chown 65534 d/token",
	    "d/token", MONIME_EUNSAFE,
	    "{}/d/token: of another owner, in a sticky folder that others may "
	    "add to (uid 65534)" STICKY_ROOTS "{}/d/token", NULL, NULL },
	{ "sticky_folder_of_the_caller_is_refused",
	    SECRET | STICKY | CALLER | AS_NOBODY,
	    "mkdir d; good d/token; chmod 1777 d; chown -R 65534 d",
	    "d/token", MONIME_EUNSAFE,
	    "{}/d: writable by group and others (mode 1777)" NOT_STICKY
	    "{}/d/token /etc/monime", NULL, NULL },
	{ "folder_that_is_not_sticky_is_refused_all_the_same",
	    SECRET | STICKY | MEND,
	    "mkdir d; good d/token; chmod 0777 d", "d/token", MONIME_EUNSAFE,
	    "{}/d: writable by group and others (mode 0777)" MAY_NOT_ADD
	    "chmod go-w {}/d", NULL, NULL },
	{ "sticky_folder_is_refused_to_a_folders_reader",
	    SECRET | STICKY | FOLDER,
	    "mkdir d; chmod 1777 d", "d", MONIME_EUNSAFE,
	    "{}/d: writable by group and others (mode 1777)" NOT_STICKY
	    "{}/d /etc/monime", NULL, NULL },

	/* systemd's credentials. */
	{ "systemd_credential_on_a_writable_mount_is_refused",
	    SECRET | SYSTEMD | MOUNTS | MEND,
	    SYSTEMDS "chmod 0440 c/token", "c/token", MONIME_EUNSAFE,
	    "{}/c: not on a read-only mount; the folder of a systemd "
	    "credential is on one: mount -o bind,ro {}/c {}/c", NULL, NULL },
	{ "systemd_credential_open_to_others_is_refused",
	    SECRET | SYSTEMD | MOUNTS,
	    SYSTEMDS "chmod 0444 c/token; " READ_ONLY, "c/token",
	    MONIME_EUNSAFE, "{}/c/token: readable by others (mode 0444); a "
	    "systemd credential is closed to others: let systemd make it, "
	    "with LoadCredential= or SetCredential=", NULL, NULL },
	{ "systemd_credential_of_another_is_refused",
	    SECRET | SYSTEMD | MOUNTS,
	    SYSTEMDS "chown 1000 c/token; " READ_ONLY, "c/token",
	    MONIME_EUNSAFE, "{}/c/token: a file of another owner (uid 1000)"
	    ROOTS "{}/c/token", NULL, NULL },
	{ "systemd_rule_accepts_no_folder_of_the_process_that_is_writable",
	    SECRET | SYSTEMD | AS_NOBODY,
	    "mkdir c; good c/token; chown -R 65534 c", "c/token",
	    MONIME_EUNSAFE, "{}/c: a folder of another owner (uid 65534); it "
	    "must be root's or uid 65534's: chown root:root {}/c",
	    NULL, NULL },

	/* Links. */
	{ "link_of_another_is_refused_with_chown", SECRET | MEND,
	    "good token; ln -s token link; chown -h 1000 link", "link",
	    MONIME_EUNSAFE, "{}/link: a symbolic link of another owner "
	    "(uid 1000); it must be root's: chown -h root:root {}/link",
	    NULL, NULL },
	{ "link_of_the_caller_is_refused",
	    SECRET | CALLER | AS_NOBODY,
	    "mkdir d; good d/token; ln -s token d/link; chown -hR 65534 d",
	    "d/link", MONIME_EUNSAFE, "{}/d/link: a symbolic link of another "
	    "owner (uid 65534); it must be root's: "
	    "chown -h root:root {}/d/link", NULL, NULL },
	{ "link_in_a_folder_of_another_is_refused", SECRET | MEND,
	    "mkdir d; good token; ln -s ../token d/link; chown 1000 d",
	    "d/link", MONIME_EUNSAFE,
	    "{}/d: a folder of another owner (uid 1000)" ROOTS "{}/d",
	    NULL, NULL },
	{ "roots_link_in_a_folder_of_the_caller_is_refused",
	    SECRET | CALLER | AS_NOBODY | MEND,
	    "mkdir d; good token; ln -s ../token d/link; chown 65534 d token",
	    "d/link", MONIME_EUNSAFE, "{}/d/link: a symbolic link in a folder "
	    "that is not root's" IN_ITS_PLACE "{}/d/link",
	    "good d/link; chown 65534 d/link", NULL },
	{ "chain_of_9_links_is_refused", SECRET | MEND,
	    "good l10; for i in 1 2 3 4 5 6 7 8 9; do "
	    "ln -s l$((i + 1)) l$i; done", "l1", MONIME_EUNSAFE,
	    "{}/l9 (on the way to {}/l1): one symbolic link too many (8 are "
	    "followed)" IN_ITS_PLACE "{}/l9", "good l9", NULL },
	{ "link_loop_is_refused", SECRET | MEND,
	    "ln -s b a; ln -s a b", "a", MONIME_EUNSAFE,
	    "{}/a: one symbolic link too many (8 are followed)" IN_ITS_PLACE
	    "{}/a", "good a", NULL },
	{ "dangling_link_is_missing", SECRET | MEND | MISSING,
	    "ln -s token link", "link", MONIME_ECONFIG,
	    "{}/token (on the way to {}/link): not there; make it: "
	    "install -m 0600 /dev/null {}/token", "printf token >token",
	    NULL },
	{ "link_into_an_unsafe_folder_is_refused", SECRET | MEND,
	    "mkdir d; good d/token; chmod 0777 d; ln -s d/token link", "link",
	    MONIME_EUNSAFE, "{}/d (on the way to {}/link): writable by group "
	    "and others (mode 0777)" MAY_NOT_ADD "chmod go-w {}/d",
	    NULL, NULL },
	{ "link_through_an_unsafe_folder_and_back_is_refused",
	    SECRET | MEND,
	    "mkdir d; good token; chmod 0777 d; ln -s d/../token link", "link",
	    MONIME_EUNSAFE, "{}/d (on the way to {}/link): writable by group "
	    "and others (mode 0777)" MAY_NOT_ADD "chmod go-w {}/d",
	    NULL, NULL },
	{ "link_to_a_file_as_a_folder_is_refused", SECRET | MEND,
	    "good token; ln -s token/ link", "link", MONIME_EUNSAFE,
	    "{}/token (on the way to {}/link): a file; a folder is wanted "
	    "here: mv {}/token {}/token.old", "rm link; good link", NULL },
	{ "link_to_a_folder_instead_of_a_file_is_refused", SECRET | MEND,
	    "mkdir d; ln -s d/ link", "link", MONIME_EUNSAFE,
	    "{}/d (on the way to {}/link): a folder" REGULAR "{}/d {}/d.old",
	    "rm link; good link", NULL },
	{ "link_that_makes_the_path_too_long_is_refused", SECRET | MEND,
	    "good token; ln -s $(printf ./%.0s $(seq 2040))token link",
	    "link", MONIME_EUNSAFE, "{}/link: a symbolic link that makes the "
	    "path too long" IN_ITS_PLACE "{}/link", "good link", NULL },

	/* What is no regular file. */
	{ "fifo_is_refused_with_mv", SECRET | MEND, "mkfifo -m 0600 token",
	    "token", MONIME_EUNSAFE,
	    "{}/token: a FIFO" REGULAR "{}/token {}/token.old",
	    "good token", NULL },
	{ "socket_is_refused_with_mv", SECRET | MEND,
	    "\"$SELF\" --socket token; chmod 0600 token", "token",
	    MONIME_EUNSAFE,
	    "{}/token: a socket" REGULAR "{}/token {}/token.old",
	    "good token", NULL },
	{ "folder_instead_of_a_file_is_refused_with_mv", SECRET | MEND,
	    "mkdir -m 0700 token", "token", MONIME_EUNSAFE,
	    "{}/token: a folder" REGULAR "{}/token {}/token.old",
	    "good token", NULL },
	{ "character_device_is_refused", SECRET,
	    "mknod -m 0600 token c 1 3 || exit 77", "token", MONIME_EUNSAFE,
	    "{}/token: a character device; name a regular file instead",
	    NULL, NULL },
	{ "block_device_is_refused", SECRET,
	    "mknod -m 0600 token b 7 0 || exit 77", "token", MONIME_EUNSAFE,
	    "{}/token: a block device; name a regular file instead",
	    NULL, NULL },
	{ "file_instead_of_a_folder_is_refused_with_mv", SECRET | MEND,
	    "good d", "d/token", MONIME_EUNSAFE,
	    "{}/d: a file; a folder is wanted here: mv {}/d {}/d.old",
	    "mkdir d; good d/token", NULL },
	{ "file_instead_of_a_folder_is_refused_to_a_folders_reader",
	    SECRET | FOLDER | MEND, "good d", "d", MONIME_EUNSAFE,
	    "{}/d: a file; a folder is wanted here: mv {}/d {}/d.old",
	    "mkdir d", NULL },

	/* Sizes. */
	{ "sparse_file_of_1_gib_is_refused", SECRET | MEND,
	    "truncate -s 1G token; chmod 0600 token", "token",
	    MONIME_EUNSAFE, "{}/token: too large (1073741824 bytes of at most "
	    "65536); put a smaller file in its place: "
	    "mv {}/token {}/token.old", "good token", NULL },
	{ "65537_bytes_are_refused", SECRET | MEND,
	    "head -c 65537 /dev/zero >token; chmod 0600 token", "token",
	    MONIME_EUNSAFE, "{}/token: too large (65537 bytes of at most "
	    "65536); put a smaller file in its place: "
	    "mv {}/token {}/token.old", "good token", NULL },

	/* What is not there, or not for us. */
	{ "missing_secret_is_told_with_install", SECRET | MEND | MISSING,
	    ":", "token", MONIME_ECONFIG,
	    "{}/token: not there; make it: install -m 0600 /dev/null "
	    "{}/token", "printf token >token", NULL },
	{ "missing_file_is_told_with_install", MEND | MISSING, ":", "token",
	    MONIME_ECONFIG, "{}/token: not there; make it: "
	    "install -m 0644 /dev/null {}/token", "printf token >token",
	    NULL },
	{ "missing_folder_of_a_secret_is_told_with_mkdir",
	    SECRET | MEND | MISSING, ":", "d/token", MONIME_ECONFIG,
	    "{}/d: this folder is not there; make it: mkdir -m 0700 {}/d",
	    "good d/token", NULL },
	{ "missing_folder_above_that_of_a_secret_is_no_secret",
	    SECRET | MEND | MISSING, ":", "a/d/token", MONIME_ECONFIG,
	    "{}/a: this folder is not there; make it: mkdir -m 0755 {}/a",
	    "mkdir -m 0700 a/d; good a/d/token", NULL },
	{ "missing_folder_above_one_of_secrets_is_no_secret",
	    SECRET | MEND | MISSING | FOLDER, ":", "a/d", MONIME_ECONFIG,
	    "{}/a: this folder is not there; make it: mkdir -m 0755 {}/a",
	    "mkdir -m 0700 a/d", NULL },
	{ "missing_folder_is_told_with_mkdir", MEND | MISSING | FOLDER, ":",
	    "d", MONIME_ECONFIG,
	    "{}/d: this folder is not there; make it: mkdir -m 0755 {}/d",
	    NULL, NULL },
	{ "unreadable_file_is_told", SECRET | AS_NOBODY, "good token",
	    "token", MONIME_ECONFIG, "{}/token: this process may not read it "
	    "(uid 65534; it is uid 0's, mode 0600); run it as its owner",
	    NULL, NULL },
	{ "closed_folder_is_told", SECRET | AS_NOBODY,
	    "mkdir -m 0700 d; good d/token", "d/token", MONIME_ECONFIG,
	    "{}/d: this process may not look into the folder (uid 65534; it "
	    "is uid 0's, mode 0700); run it as its owner", NULL, NULL },
	{ "unreadable_folder_is_told", SECRET | AS_NOBODY | FOLDER,
	    "mkdir -m 0711 d", "d", MONIME_ECONFIG,
	    "{}/d: this process may not read it (uid 65534; it is uid 0's, "
	    "mode 0711); run it as its owner", NULL, NULL },
	{ "unsafe_file_is_told_before_that_it_is_unreadable",
	    SECRET | AS_NOBODY, "good token; chmod 0620 token", "token",
	    MONIME_EUNSAFE,
	    "{}/token: writable by group (mode 0620)" MUST_BE_0600,
	    NULL, NULL },

	/* Paths. */
	{ "relative_path_is_refused", SECRET | ANYONE, NULL,
	    "=live/x.token", MONIME_EUNSAFE, "live/x.token: a relative path; "
	    "write it from \"/\" on", NULL, NULL },
	{ "empty_path_is_refused", SECRET | ANYONE, NULL, "=",
	    MONIME_EUNSAFE, "an empty path; write one from \"/\" on",
	    NULL, NULL },
	{ "double_slash_is_refused", SECRET | ANYONE, NULL, "=/etc//token",
	    MONIME_EUNSAFE, "/etc/: two slashes in a row; write the path with "
	    "one", NULL, NULL },
	{ "double_slash_in_front_is_refused", SECRET | ANYONE, NULL,
	    "=//etc/token", MONIME_EUNSAFE, "/: two slashes in a row; write "
	    "the path with one", NULL, NULL },
	{ "dot_is_refused", SECRET | ANYONE, NULL, "=/etc/./token",
	    MONIME_EUNSAFE, "/etc/.: a component \".\"; write the path "
	    "without it", NULL, NULL },
	{ "dotdot_is_refused", SECRET | ANYONE, NULL, "=/etc/../token",
	    MONIME_EUNSAFE, "/etc/..: a component \"..\"; write the path "
	    "without it", NULL, NULL },
	{ "dotdot_at_the_end_is_refused", SECRET | ANYONE, NULL, "=/etc/..",
	    MONIME_EUNSAFE, "/etc/..: a component \"..\"; write the path "
	    "without it", NULL, NULL },
	{ "slash_at_the_end_is_refused", SECRET | ANYONE, NULL, "=/etc/",
	    MONIME_EUNSAFE, "/etc/: a slash at the end; write the path "
	    "without it", NULL, NULL },
	{ "root_is_refused", SECRET | ANYONE, NULL, "=/", MONIME_EUNSAFE,
	    "/: a slash at the end; write the path without it", NULL, NULL },
	{ "missing_folder_of_the_root_is_told", ANYONE | MISSING, NULL,
	    "=/monime is not here/token", MONIME_ECONFIG,
	    "/monime is not here: this folder is not there; make it: "
	    "mkdir -m 0755 '/monime is not here'", NULL, NULL },
	{ "null_device_is_refused", ANYONE, NULL, "=/dev/null",
	    MONIME_EUNSAFE, "/dev/null: a character device; name a regular "
	    "file instead", NULL, NULL },
	{ "roots_open_file_is_accepted", ANYONE | ANYTHING, NULL,
	    "=/etc/passwd", 0, NULL, NULL, NULL },
	{ "roots_open_file_is_refused_as_a_secret", SECRET | ANYONE, NULL,
	    "=/etc/passwd", MONIME_EUNSAFE, "/etc/passwd: readable by group "
	    "and others (mode 0644); a file that holds a secret must be 0600: "
	    "chmod 0600 /etc/passwd", NULL, NULL },
};

#define LAYOUTS	(sizeof(layouts) / sizeof(layouts[0]))

/* What came of a reading, in memory that a child of ours shares. */
struct outcome {
	int code;
	bool missing;
	int leaked;
	size_t len;
	char bytes[64];
	char line[16384];
	char complaint[32768];
};

static struct outcome *outcome;
static char self[PATH_MAX];

/* Faults: the count-down, and what happens when it is over. */
static int faults_in = -1;
static int fault;
static int fault_calls;
static void (*on_read)(void);

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
ssize_t __real_readlinkat(int dir, const char *path, char *buf, size_t size);
ssize_t __wrap_readlinkat(int dir, const char *path, char *buf, size_t size);
ssize_t __real_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size);
struct mn_secret *__real_mn_secret_new(enum mn_secret_kind kind, size_t size);
struct mn_secret *__wrap_mn_secret_new(enum mn_secret_kind kind, size_t size);

static bool
fails_now(void)
{
	fault_calls++;
	if (faults_in < 0 || faults_in-- > 0)
		return false;
	errno = fault;
	return true;
}

int
__wrap_openat(int dir, const char *path, int flags, ...)
{
	return fails_now() ? -1 : __real_openat(dir, path, flags);
}

int
__wrap_fstat(int fd, struct stat *st)
{
	return fails_now() ? -1 : __real_fstat(fd, st);
}

ssize_t
__wrap_readlinkat(int dir, const char *path, char *buf, size_t size)
{
	return fails_now() ? -1 : __real_readlinkat(dir, path, buf, size);
}

ssize_t
__wrap_read(int fd, void *buf, size_t size)
{
	void (*f)(void) = on_read;

	on_read = NULL;
	if (f != NULL)
		f();
	return fails_now() ? -1 : __real_read(fd, buf, size);
}

struct mn_secret *
__wrap_mn_secret_new(enum mn_secret_kind kind, size_t size)
{
	return fails_now() ? NULL : __real_mn_secret_new(kind, size);
}

static int
open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n;
}

static void
read_folder(const char *path, const struct mn_safefile_rule *rule,
    struct mn_error *e)
{
	struct stat st;
	int fd;

	fd = mn_safefile_folder(path, rule, &outcome->code, &outcome->missing,
	    e);
	if ((fd >= 0) != (outcome->code == MONIME_OK))
		outcome->code = 99;
	if (fd < 0)
		return;
	if (__real_fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode) ||
	    (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
		outcome->code = 99;
	(void)close(fd);
}

static void
read_here(int how, const char *path)
{
	struct mn_safefile_rule rule = { .max = MN_SAFEFILE_MAX };
	struct mn_error e = MN_ERROR_INIT;
	struct mn_safefile_id id;
	struct mn_secret *s = NULL;
	int before = open_descriptors();

	rule.secret = (how & SECRET) != 0;
	rule.caller = (how & CALLER) != 0;
	rule.sticky = (how & STICKY) != 0;
	rule.systemd = (how & SYSTEMD) != 0;
	outcome->len = 0;
	outcome->missing = true;
	if ((how & FOLDER) != 0)
		read_folder(path, &rule, &e);
	else
		outcome->code = mn_safefile_read(path, &rule, &s, &id,
		    &outcome->missing, &e);
	if ((s != NULL) != (outcome->code == MONIME_OK && !(how & FOLDER)))
		outcome->code = 99;
	if (s != NULL) {
		outcome->len = mn_secret_len(s);
		(void)snprintf(outcome->bytes, sizeof(outcome->bytes), "%s",
		    mn_secret_get(s));
	}
	(void)snprintf(outcome->line, sizeof(outcome->line), "%s",
	    mn_error_get(&e));
	mn_secret_free(s);
	mn_error_free(&e);
	outcome->leaked = open_descriptors() - before;
}

static int
become(int how)
{
	if (setgroups(0, NULL) != 0)
		return -1;
	if ((how & AS_SETUID) != 0)
		return setresuid(NOBODY, 0, 0);
	if (setresgid(NOBODY, (how & AS_SETGID) != 0 ? 0 : NOBODY, 0) != 0)
		return -1;
	if ((how & AS_SETGID) == 0 && setresgid(NOBODY, NOBODY, NOBODY) != 0)
		return -1;
	return setresuid(NOBODY, NOBODY, NOBODY);
}

static int
wait_for(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void
read_as(int how, const char *path)
{
	pid_t pid;

	if ((how & (AS_NOBODY | AS_SETUID | AS_SETGID)) == 0) {
		read_here(how, path);
		return;
	}
	outcome->code = 99;
	pid = fork();
	if (pid == 0) {
		if (become(how) == 0)
			read_here(how, path);
		_exit(0);
	}
	(void)wait_for(pid);
}

/* Run a script; its exit status, or -1. */
static int
run(const char *shell, const char *folder, const char *script)
{
	static const char good[] =
	    "umask 022; set -e; "
	    "good() { printf token >\"$1\"; chmod 0600 \"$1\"; }\n";
	char *text;
	pid_t pid;

	if (asprintf(&text, "%s%s", good, script) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		if (chdir(folder) == 0 && setenv("SELF", self, 1) == 0)
			(void)execlp(shell, shell, "-c", text, (char *)NULL);
		_exit(127);
	}
	free(text);
	return wait_for(pid);
}

/* The folder's name in the place of each {}. */
static char *
expand(const char *s, const char *folder)
{
	struct mn_text t = MN_TEXT_INIT(32768);
	char *copy;

	for (; *s != '\0'; s++) {
		if (s[0] == '{' && s[1] == '}') {
			mn_text_add(&t, "%s", folder);
			s++;
		} else {
			mn_text_put(&t, s, 1);
		}
	}
	copy = strdup(mn_text_get(&t));
	mn_text_free(&t);
	return copy;
}

static char *
path_of(const char *path, const char *folder)
{
	char *s;

	if (path[0] == '=')
		return strdup(path + 1);
	return asprintf(&s, "%s/%s", folder, path) < 0 ? NULL : s;
}

static bool
complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(outcome->complaint, sizeof(outcome->complaint), fmt,
	    ap);
	va_end(ap);
	return false;
}

static bool
accepted(const struct layout *l)
{
	if (outcome->code != MONIME_OK)
		return complain("%d: %s", outcome->code, outcome->line);
	if (outcome->line[0] != '\0' || outcome->missing || outcome->leaked)
		return complain("accepted, but: %s, missing %d, leaked %d",
		    outcome->line, outcome->missing, outcome->leaked);
	if ((l->how & (ANYTHING | FOLDER)) == 0 &&
	    (outcome->len != 5 || strcmp(outcome->bytes, "token") != 0))
		return complain("read %zu bytes, \"%s\"", outcome->len,
		    outcome->bytes);
	return true;
}

static bool
refused(const struct layout *l, const char *folder)
{
	char *line = expand(l->line, folder);
	bool ok = true;

	if (outcome->code != l->code || strcmp(outcome->line, line) != 0)
		ok = complain("\n wanted %d: %s\n    got %d: %s", l->code,
		    line, outcome->code, outcome->line);
	else if (outcome->missing != ((l->how & MISSING) != 0))
		ok = complain("missing is %d", outcome->missing);
	else if (outcome->leaked != 0)
		ok = complain("%d descriptors leaked", outcome->leaked);
	free(line);
	return ok;
}

/* Do as the line says, to the letter. */
static bool
mended(const struct layout *l, const char *folder)
{
	const char *command, *next;
	char *path;
	int r;

	command = outcome->line;
	while ((next = strstr(command, ": ")) != NULL)
		command = next + 2;
	r = run((l->how & BASH) != 0 ? "bash" : "sh", "/", command);
	if (r != 0)
		return complain("status %d of: %s", r, command);
	if (l->then != NULL && run("sh", folder, l->then) != 0)
		return complain("cannot run: %s", l->then);
	path = path_of(l->again != NULL ? l->again : l->path, folder);
	read_as(l->how, path);
	free(path);
	return accepted(l);
}

/* 0, SKIPPED, or 1 and a complaint. */
static int
try_layout(const struct layout *l, const char *folder)
{
	char *path;
	int r;

	r = l->make != NULL ? run("sh", folder, l->make) : 0;
	if (r == SKIPPED)
		return SKIPPED;
	if (r != 0)
		return complain("status %d of: %s", r, l->make) ? 0 : 1;
	path = path_of(l->path, folder);
	read_as(l->how, path);
	free(path);
	if (l->line == NULL)
		return accepted(l) ? 0 : 1;
	if (!refused(l, folder))
		return 1;
	if ((l->how & MEND) != 0 && !mended(l, folder))
		return 1;
	return 0;
}

static int
try_with_mounts(const struct layout *l, const char *folder)
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) != 0 || mount("none", "/",
		    "none", MS_REC | MS_PRIVATE, NULL) != 0)
			_exit(SKIPPED);
		_exit(try_layout(l, folder));
	}
	return wait_for(pid);
}

/* Where only root is; one at a time. */
static const char *
new_folder(void)
{
	static char folder[32];

	if (geteuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
	}
	(void)snprintf(folder, sizeof(folder), "/run/monime-test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0755), 0);
	return folder;
}

static void
remove_folder(const char *folder)
{
	assert_int_equal(run("sh", folder, "rm -rf \"$PWD\""), 0);
}

static void
test_layout(void **state)
{
	const struct layout *l = *state;
	const char *folder = NULL;
	int r;

	if ((l->how & ANYONE) == 0)
		folder = new_folder();
	if ((l->how & MOUNTS) != 0)
		r = try_with_mounts(l, folder);
	else
		r = try_layout(l, folder != NULL ? folder : "/");
	if (folder != NULL)
		remove_folder(folder);
	if (r == SKIPPED) {
		print_message("skipped: needs setfacl, mknod or mount\n");
		skip();
	}
	if (r != 0)
		print_error("%s: %s\n", l->name, outcome->complaint);
	assert_int_equal(r, 0);
}

static void
test_sticky_tmp_is_refused_to_anyone(void **state)
{
	struct stat st;

	(void)state;
	if (stat("/tmp", &st) != 0 || (st.st_mode & 07777) != 01777)
		skip();
	read_here(SECRET, "/tmp/it's");
	assert_int_equal(outcome->code, MONIME_EUNSAFE);
	assert_string_equal(outcome->line, "/tmp: writable by group and "
	    "others (mode 1777)" NOT_STICKY "'/tmp/it'\\''s' /etc/monime");
}

static void
test_path_beyond_the_limit_is_refused(void **state)
{
	char path[PATH_MAX + 1];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[PATH_MAX] = '\0';
	read_here(SECRET, path);
	assert_int_equal(outcome->code, MONIME_EUNSAFE);
	assert_string_equal(outcome->line, "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...: a path of 4096 bytes; at most "
	    "4095 are followed");
}

static void
test_path_at_the_limit_is_walked(void **state)
{
	char path[PATH_MAX], line[PATH_MAX * 2];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[PATH_MAX - 1] = '\0';
	read_here(SECRET, path);
	assert_int_equal(outcome->code, MONIME_ECONFIG);
	(void)snprintf(line, sizeof(line), "%s: a longer name than the file "
	    "system takes; choose a shorter one", path);
	assert_string_equal(outcome->line, line);
	assert_false(outcome->missing);
}

static void
test_link_up_to_the_limit_is_followed(void **state)
{
	const char *folder = new_folder();
	char target[PATH_MAX];
	char *path = path_of("link", folder);
	size_t room = sizeof(target) - strlen(folder) - 1;

	(void)state;
	assert_int_equal(run("sh", folder, "good token"), 0);
	memset(target, '/', sizeof(target));
	target[0] = '.';
	memcpy(target + room - 5, "token", 6);
	assert_int_equal(symlink(target, path), 0);
	read_here(SECRET, path);
	assert_int_equal(outcome->code, MONIME_EUNSAFE);
	assert_non_null(strstr(outcome->line, "makes the path too long"));
	assert_int_equal(unlink(path), 0);
	target[1] = '.';	/* one byte less */
	assert_int_equal(symlink(target + 1, path), 0);
	read_here(SECRET, path);
	assert_int_equal(outcome->code, MONIME_OK);
	free(path);
	remove_folder(folder);
}

/* What an error line cannot hold costs its end, not its beginning. */
static void
test_monstrous_path_keeps_the_refusal(void **state)
{
	char path[PATH_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(path) - 1; i++)
		path[i] = i % 200 == 0 ? '/' : '\n';
	path[sizeof(path) - 1] = '\0';
	read_here(SECRET, path);
	assert_int_equal(outcome->code, MONIME_ECONFIG);
	assert_true(outcome->missing);
	assert_memory_equal(outcome->line, "/\\x0a\\x0a", 9);
	assert_non_null(strstr(outcome->line, ": this folder is not there"));
	assert_null(strchr(outcome->line, '\n'));
}

/* A writer that waits in open() must not be woken, a device not touched. */
static void
test_fifo_and_device_are_refused_without_being_opened(void **state)
{
	const char *folder = new_folder();
	char event[512], *path;
	static const char *const names[] = { "fifo", "zero" };
	size_t i;
	int fd;

	(void)state;
	assert_int_equal(run("sh", folder, "mkfifo -m 0600 fifo; "
	    "mknod -m 0600 zero c 1 5 || ln fifo zero"), 0);
	fd = inotify_init1(IN_NONBLOCK);
	assert_true(fd >= 0);
	for (i = 0; i < 2; i++) {
		path = path_of(names[i], folder);
		assert_true(inotify_add_watch(fd, path,
		    IN_OPEN | IN_ACCESS) >= 0);
		read_here(SECRET, path);
		assert_int_equal(outcome->code, MONIME_EUNSAFE);
		free(path);
	}
	assert_int_equal(__real_read(fd, event, sizeof(event)), -1);
	(void)close(fd);
	remove_folder(folder);
}

static void
test_same_tells_a_changed_file(void **state)
{
	const struct mn_safefile_rule rule = { .max = 100, .secret = true };
	struct mn_error e = MN_ERROR_INIT;
	struct mn_safefile_id id[3];
	struct mn_secret *s;
	const char *folder = new_folder();
	char *path = path_of("token", folder);
	int i;

	(void)state;
	assert_int_equal(run("sh", folder, "good token"), 0);
	for (i = 0; i < 3; i++) {
		if (i == 2)
			assert_int_equal(run("sh", folder,
			    "good new; mv new token"), 0);
		assert_int_equal(mn_safefile_read(path, &rule, &s, &id[i],
		    NULL, &e), MONIME_OK);
		mn_secret_free(s);
	}
	assert_true(mn_safefile_same(&id[0], &id[1]));
	assert_false(mn_safefile_same(&id[1], &id[2]));
	mn_error_free(&e);
	free(path);
	remove_folder(folder);
}

/* What happens to the file at the first read. */
static char changing[PATH_MAX];

static void
append(const char *bytes, size_t len)
{
	int fd = open(changing, O_WRONLY | O_APPEND);

	if (fd >= 0 && write(fd, bytes, len) != (ssize_t)len)
		fd = -1;
	if (fd >= 0)
		(void)close(fd);
}

static void
grow(void)
{
	append("x", 1);
}

static void
grow_too_large(void)
{
	static const char zeros[MN_SAFEFILE_MAX];

	append(zeros, sizeof(zeros));
}

static void
shrink(void)
{
	(void)!truncate(changing, 2);
}

static void
rewrite(void)
{
	static const struct timespec times[2] = {
		{ .tv_sec = 1 }, { .tv_sec = 1 }
	};

	(void)utimensat(AT_FDCWD, changing, times, 0);
}

static void
open_to_others(void)
{
	(void)chmod(changing, 0666);
}

static void
test_file_that_changes_while_it_is_read_is_refused(void **state)
{
	static const struct {
		void (*change)(void);
		int code;
		const char *words;
	} changes[] = {
		{ grow, MONIME_ECONFIG, "/token: changed while it was read; "
		    "replace it as a whole, by mv, and try again" },
		{ shrink, MONIME_ECONFIG, "/token: changed while it was " },
		{ rewrite, MONIME_ECONFIG, "/token: changed while it was " },
		{ grow_too_large, MONIME_EUNSAFE,
		    "/token: too large (65541 bytes of at most 65536)" },
		{ open_to_others, MONIME_EUNSAFE,
		    "/token: readable and writable by group and others" },
	};
	const char *folder = new_folder();
	size_t i;

	(void)state;
	(void)snprintf(changing, sizeof(changing), "%s/token", folder);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		assert_int_equal(run("sh", folder, "good token"), 0);
		on_read = changes[i].change;
		read_here(SECRET, changing);
		assert_null(on_read);
		assert_int_equal(outcome->code, changes[i].code);
		assert_non_null(strstr(outcome->line, changes[i].words));
		assert_int_equal(outcome->leaked, 0);
	}
	remove_folder(folder);
}

/* Fail each call in turn until one reading meets no fault. */
static int
fail_in_turn(int how, const char *path, int number)
{
	int n, calls = 0;

	for (n = 0; n < 1000; n++) {
		fault = number;
		faults_in = n;
		fault_calls = 0;
		read_here(how, path);
		if (faults_in >= 0)
			break;
		faults_in = -1;
		calls = fault_calls;
		assert_int_not_equal(outcome->code, MONIME_OK);
		assert_int_equal(outcome->leaked, 0);
		assert_string_not_equal(outcome->line, "");
		assert_null(strchr(outcome->line, '\n'));
		assert_in_set((unsigned long)-outcome->code,
		    ((unsigned long[]){ -MONIME_ESYS, -MONIME_ENOMEM,
		    -MONIME_ECONFIG, -MONIME_EUNSAFE }), 4);
	}
	faults_in = -1;
	assert_int_equal(outcome->code, MONIME_OK);
	assert_true(calls > 20);
	return n;
}

static void
test_no_fault_reads_or_leaks(void **state)
{
	static const int numbers[] = {
		EMFILE, ENFILE, ENOMEM, EIO, EACCES, EPERM, ENOENT, ELOOP,
		ENXIO, ENAMETOOLONG, ESTALE
	};
	const char *folder = new_folder();
	char *path = path_of("link/token", folder);
	size_t i;

	(void)state;
	assert_int_equal(run("sh", folder,
	    "mkdir a; good a/token; ln -s ./a/../a link"), 0);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_true(fail_in_turn(SECRET, path, numbers[i]) > 20);
	free(path);
	remove_folder(folder);
}

static void
test_fault_is_told_by_its_code(void **state)
{
	static const struct {
		int number;
		int code;
		const char *words;
	} faults[] = {
		{ EMFILE, MONIME_ESYS, "/: the system cannot read it (Too "
		    "many open files); nothing was read" },
		{ ENOMEM, MONIME_ENOMEM, "/: out of memory; nothing was " },
		{ EACCES, MONIME_ECONFIG, "/: " },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		fault = faults[i].number;
		faults_in = 0;
		read_here(0, "/etc/passwd");
		faults_in = -1;
		assert_int_equal(outcome->code, faults[i].code);
		assert_memory_equal(outcome->line, faults[i].words,
		    strlen(faults[i].words));
	}
}

static void
interrupt(void)
{
	fault = EINTR;
	faults_in = 0;
}

static void
test_interrupted_read_goes_on(void **state)
{
	(void)state;
	on_read = interrupt;
	read_here(0, "/etc/passwd");
	assert_int_equal(faults_in, -1);
	assert_int_equal(outcome->code, MONIME_OK);
	assert_true(outcome->len > 0);
}

/* The swap: a good and a bad thing change places while the path is read. */
struct swap {
	const char *name;
	const char *make;
	const char *path;	/* what is read */
	const char *one;	/* what is exchanged */
	const char *other;
	const char *bad;	/* what must never be read */
};

static const struct swap swaps[] = {
	{ "a link of another to a file of root's",
	    "ln -s bad other; chown -h 1000 other; printf stolen >bad; "
	    "chmod 0600 bad", "token", "token", "other", "bad" },
	{ "a file of another",
	    "printf stolen >other; chmod 0600 other; chown 1000 other",
	    "token", "token", "other", "other" },
	{ "a file that others read", "printf stolen >other; chmod 0644 other",
	    "token", "token", "other", "other" },
	{ "a FIFO", "mkfifo -m 0600 other", "token", "token", "other",
	    "other" },
	{ "a folder of another",
	    "mkdir d e; good d/token; printf stolen >e/token; "
	    "chmod 0600 e/token; chown 1000 e",
	    "d/token", "d", "e", "e/token" },
	{ "an ancestor that others write to",
	    "mkdir -p d/f e/f; good d/f/token; printf stolen >e/f/token; "
	    "chmod 0600 e/f/token; chmod 0777 e",
	    "d/f/token", "d", "e", "e/f/token" },
};

struct swapper {
	char one[PATH_MAX];
	char other[PATH_MAX];
	atomic_bool stop;
	unsigned long n;
};

static void *
swap_on(void *arg)
{
	struct swapper *s = arg;

	while (!atomic_load(&s->stop)) {
		if (renameat2(AT_FDCWD, s->one, AT_FDCWD, s->other,
		    RENAME_EXCHANGE) != 0)
			break;
		/* Out of step, even where threads take turns. */
		if (++s->n % 7 == 0)
			(void)sched_yield();
	}
	return NULL;
}

static unsigned long
swap_rounds(void)
{
	const char *s = getenv("MONIME_TEST_ROUNDS");

	return s != NULL ? strtoul(s, NULL, 10) : 100000;
}

/* Read until both outcomes were seen, and at least so often. */
static void
read_through(const char *path, unsigned long rounds, unsigned long *yes,
    unsigned long *no)
{
	const struct mn_safefile_rule rule = { .max = 100, .secret = true };
	struct mn_error e = MN_ERROR_INIT;
	struct mn_safefile_id id;
	struct mn_secret *s;
	unsigned long n;
	int r;

	for (n = 0; n < rounds ||
	    (n < 10 * rounds && (*yes == 0 || *no == 0)); n++) {
		r = mn_safefile_read(path, &rule, &s, &id, NULL, &e);
		if (r == MONIME_OK) {
			(*yes)++;
			assert_string_equal(mn_secret_get(s), "token");
			assert_string_equal(mn_error_get(&e), "");
		} else {
			(*no)++;
			assert_null(s);
			assert_in_set((unsigned long)-r, ((unsigned long[]){
			    -MONIME_EUNSAFE, -MONIME_ECONFIG }), 2);
		}
		mn_secret_free(s);
		mn_error_free(&e);
	}
}

static void
try_swap(const struct swap *w, unsigned long rounds)
{
	struct swapper s = { .n = 0 };
	const char *folder = new_folder();
	char *path = path_of(w->path, folder);
	char *bad = path_of(w->bad, folder);
	char event[512];
	unsigned long yes = 0, no = 0;
	int fd, leaked = open_descriptors();
	pthread_t thread;

	assert_int_equal(run("sh", folder, "good token"), 0);
	assert_int_equal(run("sh", folder, w->make), 0);
	(void)snprintf(s.one, sizeof(s.one), "%s/%s", folder, w->one);
	(void)snprintf(s.other, sizeof(s.other), "%s/%s", folder, w->other);
	/* The watch holds the file itself, wherever it is moved. */
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(inotify_add_watch(fd, bad, IN_ACCESS) >= 0);
	assert_int_equal(pthread_create(&thread, NULL, swap_on, &s), 0);
	read_through(path, rounds, &yes, &no);
	atomic_store(&s.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	print_message("%s: %lu read, %lu refused, %lu swaps\n", w->name, yes,
	    no, s.n);
	assert_true(yes > 0);
	assert_true(no > 0);
	assert_int_equal(__real_read(fd, event, sizeof(event)), -1);
	assert_int_equal(errno, EAGAIN);
	(void)close(fd);
	assert_int_equal(open_descriptors(), leaked);
	free(bad);
	free(path);
	remove_folder(folder);
}

static void
test_nothing_is_read_from_what_is_swapped_in(void **state)
{
	size_t i, n = sizeof(swaps) / sizeof(swaps[0]);

	(void)state;
	for (i = 0; i < n; i++)
		try_swap(&swaps[i], (swap_rounds() + n - 1) / n);
}

static int
make_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return 1;
	return close(fd);
}

static const struct CMUnitTest more[] = {
	cmocka_unit_test(test_sticky_tmp_is_refused_to_anyone),
	cmocka_unit_test(test_path_beyond_the_limit_is_refused),
	cmocka_unit_test(test_path_at_the_limit_is_walked),
	cmocka_unit_test(test_link_up_to_the_limit_is_followed),
	cmocka_unit_test(test_monstrous_path_keeps_the_refusal),
	cmocka_unit_test(
	    test_fifo_and_device_are_refused_without_being_opened),
	cmocka_unit_test(test_same_tells_a_changed_file),
	cmocka_unit_test(test_file_that_changes_while_it_is_read_is_refused),
	cmocka_unit_test(test_no_fault_reads_or_leaks),
	cmocka_unit_test(test_fault_is_told_by_its_code),
	cmocka_unit_test(test_interrupted_read_goes_on),
	cmocka_unit_test(test_nothing_is_read_from_what_is_swapped_in),
};

#define MORE	(sizeof(more) / sizeof(more[0]))

int
main(int argc, char **argv)
{
	static struct CMUnitTest tests[LAYOUTS + MORE];
	ssize_t len;
	size_t i;

	if (argc == 3 && strcmp(argv[1], "--socket") == 0)
		return make_socket(argv[2]);
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (len < 0 || outcome == MAP_FAILED || !mn_secret_init())
		return 1;
	for (i = 0; i < LAYOUTS; i++) {
		tests[i].name = layouts[i].name;
		tests[i].test_func = test_layout;
		tests[i].initial_state = (void *)(uintptr_t)&layouts[i];
	}
	memcpy(tests + LAYOUTS, more, sizeof(more));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
