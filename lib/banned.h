/* SPDX-License-Identifier: MIT */

/*
 * Functions that nobody here may call, each with what to use instead.  Every
 * .c file of lib/ and module/cli/ includes this last; `make lint` sees to it.
 */

#ifndef MN_BANNED_H
#define MN_BANNED_H

/* No length, or a length that is silently wrong. */
#undef strcpy
#define strcpy(...)	use_mn_text_instead_of_strcpy
#undef strcat
#define strcat(...)	use_mn_text_instead_of_strcat
#undef strncpy
#define strncpy(...)	use_mn_text_instead_of_strncpy
#undef strncat
#define strncat(...)	use_mn_text_instead_of_strncat
#undef sprintf
#define sprintf(...)	use_snprintf_instead_of_sprintf
#undef vsprintf
#define vsprintf(...)	use_vsnprintf_instead_of_vsprintf
#undef gets
#define gets(...)	use_getline_instead_of_gets
#undef alloca
#define alloca(...)	use_malloc_instead_of_alloca

/* By the host's locale. */
#undef strcasecmp
#define strcasecmp(...)	use_mn_text_alike_instead_of_strcasecmp
#undef strncasecmp
#define strncasecmp(...)	use_mn_text_alike_instead_of_strncasecmp

/* No way to tell an error. */
#undef atoi
#define atoi(...)	use_mn_text_number_instead_of_atoi
#undef atol
#define atol(...)	use_mn_text_number_instead_of_atol

/* Hidden state that threads share. */
#undef strtok
#define strtok(...)	use_strcspn_instead_of_strtok
#undef gmtime
#define gmtime(...)	use_gmtime_r_instead_of_gmtime
#undef localtime
#define localtime(...)	use_gmtime_r_instead_of_localtime
#undef strerror
#define strerror(...)	use_percent_m_instead_of_strerror
#undef rand
#define rand(...)	use_mn_secret_random_instead_of_rand
#undef random
#define random(...)	use_mn_secret_random_instead_of_random

/* The environment belongs to whoever started the process. */
#undef getenv
#define getenv(...)	use_secure_getenv_instead_of_getenv
#undef setenv
#define setenv(...)	the_environment_is_the_hosts
#undef setlocale
#define setlocale(...)	the_locale_is_the_hosts
#undef signal
#define signal(...)	signals_are_the_hosts

/* A path that is looked up twice can be two files. */
#undef access
#define access(...)	use_safefile_instead_of_access
#undef realpath
#define realpath(...)	use_safefile_instead_of_realpath

#endif
