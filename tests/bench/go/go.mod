// SPDX-License-Identifier: MIT

module libmonime/bench

go 1.19

require libmonime/monime v0.0.0

replace libmonime/monime => ../../../module/go
