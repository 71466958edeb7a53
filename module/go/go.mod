// SPDX-License-Identifier: MIT

// A name for use on this host: nobody serves it.  A program's own go.mod says
// where it lies:
//
//	require libmonime/monime v0.0.0
//	replace libmonime/monime => /usr/share/gocode/src/libmonime/monime
module libmonime/monime

go 1.19
