# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
#   make jail     from a fresh clone to a program's output from inside a jail
#   make shell    a login shell in that jail, with a terminal
#   make quick    what a change needs before it is committed, with the unit tests of the files that it changes
#   make test     from a fresh clone to the verdict of every check
#   make bench    measures, and compares with the programs that people use
#   make coverage   how much of plugins/ the unit tests reach, which must not become less
#   make soak     all cases of the tests of faults and generated input, and the long scenarios
#   make engines  what is released, under ansible-runner and Packer, against a stand-in Mac
#   make release-check   what is released, as Galaxy judges it, and its release notes
#   make release-notes   writes the release notes of the version in galaxy.yml, to be read and committed
#   make release  builds, checks and signs (KEY=...) what is released, and prints the commands that publish it
#   make nox      what Ansible's collections check of licences, action groups and the archive
#   make ansible-versions   the plugins of the controller with the newest ansible-core
#   make mac-proof   judges on this Mac what is taken for granted of macOS, and writes .cache/proof/selftest.md
#   make docs     the site of the documentation, at .cache/docs/html/index.html
#   make format   lets ruff put the sources in order
#   make clean    removes what the others made
#
# and each part of `make test` by its name (the quick ones, then those that take long, so that the machine is never idle):

PARTS := lint types layers unit faults connection attack sanity target-python ansible-lint docs-lint changelog-lint collection molecule

.PHONY: help ready jail shell quick test coverage bench soak engines release-check release-notes release nox ansible-versions mac-proof docs format clean $(PARTS)

PYTHON = $(shell tests/tools/find-python)
VENV := .venv
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache/collections
COLLECTION := .cache/collections/ansible_collections/darwin/jail

help:
	@sed -n 's/^#   //p' Makefile
	@echo
	@echo "Parts of make test: $(PARTS)"

# Ansible, and the checkout where Ansible finds it.
ready: $(VENV)/run.stamp $(COLLECTION)

jail: ready
	@tests/tools/first-jail

shell: ready
	@$(VENV)/bin/python tests/tools/shell.py

quick: $(VENV)/test.stamp $(COLLECTION)
	@$(VENV)/bin/python tests/tools/check.py lint types layers changelog-lint
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" python tests/tools/touched.py

test: $(VENV)/test.stamp $(COLLECTION)
	@$(VENV)/bin/python tests/tools/check.py $(PARTS)

$(PARTS): $(VENV)/test.stamp $(COLLECTION)
	@$(VENV)/bin/python tests/tools/check.py $@

coverage: $(VENV)/test.stamp $(COLLECTION)
	@tests/tools/peers
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" pytest --quiet --cov --cov-report=term tests/unit/plugins

# In at most 29 minutes, with what is left out said; FILES holds further words, such as --trees large.
bench: ready
	@tests/tools/peers || echo "not all programs to compare with could be installed"
	@$(VENV)/bin/python tests/bench/measure_files.py $(FILES)
	@$(VENV)/bin/python tests/bench/measure_images.py
	@$(VENV)/bin/python tests/bench/measure_macs.py
	@$(VENV)/bin/python tests/bench/measure_djail.py
	@$(VENV)/bin/python tests/bench/page.py

# Fuzzing with coverage is left out where atheris cannot be installed.
soak: $(VENV)/test.stamp $(COLLECTION)
	@$(MAKE) --no-print-directory $(VENV)/fuzz.stamp || echo "atheris does not install here: its tests are skipped"
	@DARWIN_JAIL_KILLS=200 $(VENV)/bin/pytest --quiet --durations=20 tests/faults tests/fuzz
	@DARWIN_JAIL_ATTACKS=$${DARWIN_JAIL_ATTACKS:-5000} $(VENV)/bin/pytest --quiet tests/attack
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" python tests/tools/scenarios.py fleet folding many selftest_kills services_deploy services_recipes vm \
		walk walk_ci walk_first walk_many walk_update

engines: .cache/engines/stamp
	@.cache/engines/bin/python -m pytest --quiet --durations=5 tests/engines

release-check: .cache/release/stamp $(VENV)/test.stamp $(COLLECTION)
	@$(VENV)/bin/python tests/tools/release.py check

release-notes: $(VENV)/test.stamp $(COLLECTION)
	@$(VENV)/bin/python tests/tools/release.py notes

# KEY is a key of gpg, by its id or address: it signs the archive. docs/release.md has the steps.
release: .cache/release/stamp $(VENV)/test.stamp $(COLLECTION)
	@$(VENV)/bin/python tests/tools/release.py build "$(KEY)"

# Without SESSIONS those that need no container.
nox: .cache/nox/stamp
	@.cache/nox/bin/nox $(if $(SESSIONS),--sessions $(SESSIONS))

ansible-versions: $(VENV)/test.stamp $(COLLECTION)
	@$(VENV)/bin/python tests/tools/ansible_versions.py $(SERIES)

# The password of sudo is asked for unless sudo needs none; SELFTEST holds further words, such as --inventory hosts.yml.
mac-proof: ready
	@$(VENV)/bin/ansible-playbook playbooks/selftest.yml --extra-vars '{"jail_selftest_report": "$(CURDIR)/.cache/proof"}' \
		$$(sudo -n true 2>/dev/null || echo --ask-become-pass) $(SELFTEST)

docs: .cache/docs/stamp $(COLLECTION)
	@.cache/docs/bin/python tests/tools/site.py

format: $(VENV)/test.stamp
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

clean:
	@if tests/standin/standin list >/dev/null 2>&1; then tests/standin/standin destroy --all; fi
	rm -rf $(VENV) .cache .ansible tests/output

# Ansible finds a collection by its place: a link puts the checkout there.
$(COLLECTION):
	@mkdir -p $(@D)
	@ln -s ../../../.. $@

$(VENV)/bin/python:
	@test -n "$(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

# Apart from what tests the rest: nothing that was not asked for is there.
.cache/%/stamp: tests/requirements/%.txt tests/requirements/run.txt
	@test -n "$(PYTHON)"
	@echo "installing $< into $(@D)"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check -r $<
	@touch $@

$(VENV)/%.stamp: tests/requirements/%.txt tests/requirements/run.txt | $(VENV)/bin/python
	@echo "installing $< into $(VENV)"
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --upgrade -r $<
	@touch $@
