# SPDX-License-Identifier: MIT
#
# What makes packages of it, included by the Makefile of the project's root.

.PHONY: dist deb rpm abi check-deb check-rpm

## dist             build/libmonime-VERSION.tar.gz of what is committed
dist:
	$(Q)packaging/need dist
	$(Q)packaging/dist $(VERSION) $(BUILD)

## abi              is the library good for programs of the last release?
abi: lib
	$(Q)packaging/need abi host
	$(Q)BUILD=$(BUILD) CC='$(CC)' $(PYTHON) packaging/abi/check

## deb              the Debian packages of what is committed, in build/deb
deb:
	$(Q)packaging/need build nginx apache pam dist deb
	$(Q)packaging/build-deb $(VERSION) $(BUILD)/deb

## check-deb        the same in clean chroots, and all that is to hold of them
check-deb:
	$(Q)packaging/need dist deb check-deb
	$(Q)BUILD=$(BUILD) VERSION=$(VERSION) tests/packages/deb

## rpm              the RPM packages of what is committed, in build/rpm
rpm:
	$(Q)packaging/need build nginx apache pam dist rpm
	$(Q)packaging/build-rpm $(VERSION) $(BUILD)/rpm

## check-rpm        the same, and all that is to hold of them
check-rpm:
	$(Q)packaging/need build nginx apache pam dist rpm check-rpm
	$(Q)BUILD=$(BUILD) VERSION=$(VERSION) tests/packages/rpm
