# A thin face: the work is done by pgcourse/tools. README says what to type without make.
PYTHON ?= python3
BIN := .venv/bin
# These tests need more packages than the module does.
NOT_LOWER := exercises test_prose.py test_study.py test_notebooks.py test_tools.py test_site.py

.DEFAULT_GOAL := help
.PHONY: help course test class-test lab notebooks exercises slides student
.PHONY: site serve browser-test colab-test lower-test demo play study
.PHONY: bench publish fuzz mutants clean

help:            ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## */\1\t/p' $(MAKEFILE_LIST) | expand -t 16

course: .venv/ok ## run every notebook; results and HTML pages go to build/
	$(BIN)/python -m pgcourse.tools.course

test: .venv/ok   ## lint, unit tests, then every notebook against its stored outputs
	$(BIN)/python -m pgcourse.tools.check

class-test: .venv/ok ## mark a class of students made by a program, cheats and accidents included
	$(BIN)/python -m pgcourse.tools.check --class

lab: .venv/ok    ## open JupyterLab on notebooks/
	$(BIN)/jupyter lab --notebook-dir=notebooks

notebooks: .venv/ok ## run every notebook and store its outputs in notebooks/
	$(BIN)/python -m pgcourse.tools.course --update

site: .venv/ok   ## build the course as web pages in build/site/, from the stored outputs
	$(BIN)/python -m pgcourse.tools.site

serve: .venv/ok  ## build the web pages and show them on localhost
	$(BIN)/python -m pgcourse.tools.site --serve

browser-test: .venv/ok tests/browser/.venv/ok ## test the pages and JupyterLab in a Chromium
	cd tests/browser && .venv/bin/python -m pytest -s

colab-test: .venv/ok ## run the notebooks in a pretended Colab, with small budgets
	$(BIN)/python -m tests.hosted

lower-test: tests/lower/.venv/ok ## tests and pretended Colab with the oldest versions admitted
	tests/lower/.venv/bin/python -m pytest tests -W ignore $(NOT_LOWER:%=--ignore=tests/%)
	tests/lower/.venv/bin/python -m tests.hosted

exercises: .venv/ok ## make the notebooks for students, and what is told of chapters elsewhere
	$(BIN)/python -m pgcourse.tools.exercises

slides: .venv/ok ## make a deck of slides of each chapter, in build/slides/
	$(BIN)/python -m pgcourse.tools.slides

student: .venv/ok ## pack what a student needs, without solutions, in build/pgcourse-student.zip
	$(BIN)/python -m pgcourse.tools.student

demo: .venv/ok   ## train the teacher again and re-create demo.pkl
	$(BIN)/python -m pgcourse.tools.demo

play: .venv/ok   ## train again what the web pages' pendulum shows
	$(BIN)/python -m pgcourse.tools.play

study: .venv/ok  ## run what studies lack: NAME=03 for one, SCHEDULER=tcp://HOST:8786 for Dask
	$(BIN)/python -m pgcourse.tools.study $(NAME) $(if $(SCHEDULER),--scheduler $(SCHEDULER))

bench: tests/bench/.venv/ok ## how fast, beside other libraries; results go to build/
	tests/bench/.venv/bin/python tests/bench/bench.py

publish: .venv/ok ## write the public address: REPO=owner/name, or REPO= to take it back
	$(BIN)/python -m pgcourse.tools.publish "$(REPO)"

fuzz: .venv/ok   ## throw 100,000 damaged files at load_demos; kill 300 saves
	$(BIN)/python -m tests.fuzz_demos 100000
	$(BIN)/python -m tests.kill_saves 300

mutants: .venv/ok ## break the algorithm in many ways; the unit tests must notice each
	$(BIN)/python -m tests.mutants

clean:           ## remove what was built, .venv included
	rm -rf .venv tests/*/.venv tests/browser/node_modules build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find pgcourse tests notebooks -name __pycache__ -prune -exec rm -rf {} + 
	find notebooks -name .ipynb_checkpoints -prune -exec rm -rf {} +

include pgcourse/tools/student_files/venv.mk

# Environments for what the course itself does not need.
tests/%/.venv/ok: tests/%/requirements.txt
	$(PYTHON) -m venv tests/$*/.venv
	tests/$*/.venv/bin/python -m pip install --disable-pip-version-check -r $<
	@if [ -f tests/$*/package.json ]; then \
	  cd tests/$* && npm install --no-package-lock --no-audit --no-fund || \
	  { echo "Node.js with npm is needed for axe-core (Debian: apt-get install npm)"; exit 1; }; fi
	@touch $@
