/* SPDX-License-Identifier: MIT */

/* The keys of NAME.conf and of monime.conf, their ranges and defaults. */

#ifndef MN_KEYS_H
#define MN_KEYS_H

#include "conf.h"

extern const struct mn_conf_table mn_keys_profile;
extern const struct mn_conf_table mn_keys_host;

/* What holds where no file says otherwise. */
void mn_keys_defaults(struct mn_profile *p);

/* Wipe and free all that the keys of both tables own. */
void mn_keys_free(struct mn_profile *p);

#endif
