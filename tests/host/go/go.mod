// SPDX-License-Identifier: MIT

// What a program does that uses the package from where it lies.
module libmonime/tests

go 1.19

require libmonime/monime v0.0.0

replace libmonime/monime => ../../../module/go
