# The Makefile of the archive for PGXN, whose client runs `make all`, `make install` and `make installcheck` with
# PG_CONFIG. In the repository, `make all` starts containers.

.PHONY: all install uninstall installcheck

all:
	@scripts/install.sh build

install:
	@scripts/install_files.sh install target/trees

uninstall:
	@scripts/install_files.sh uninstall

installcheck:
	@scripts/installcheck.sh
