/* SPDX-License-Identifier: MIT */

/*
 * The forms of strings: of a settings file, and of the files that hold one
 * secret.  A form is about characters alone; what a value means to a provider
 * is judged elsewhere.
 */

#ifndef MN_FORM_H
#define MN_FORM_H

#include "conf.h"

extern const struct mn_conf_form mn_form_token;
extern const struct mn_conf_form mn_form_password;
extern const struct mn_conf_form mn_form_signing;
extern const struct mn_conf_form mn_form_text;
extern const struct mn_conf_form mn_form_visible;
extern const struct mn_conf_form mn_form_printable;
extern const struct mn_conf_form mn_form_space;
extern const struct mn_conf_form mn_form_version;
extern const struct mn_conf_form mn_form_file;
extern const struct mn_conf_form mn_form_path;
extern const struct mn_conf_form mn_form_pattern;
extern const struct mn_conf_form mn_form_address;
extern const struct mn_conf_form mn_form_base;
extern const struct mn_conf_form mn_form_url;
extern const struct mn_conf_form mn_form_proxy;
extern const struct mn_conf_form mn_form_parameter;

#endif
