/* SPDX-License-Identifier: MIT */

/*
 * monime.h as the library itself sees it: everything is compiled hidden but
 * what is declared there.
 */

#ifndef MN_ABI_H
#define MN_ABI_H

#pragma GCC visibility push(default)
#include "monime.h"
#pragma GCC visibility pop

#endif
