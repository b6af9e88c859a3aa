"""Run studies: `python -m pgcourse.tools.study [NAME ...] [--scheduler ADDRESS]`.

Rows that are there already stay; the others run on all cores of this machine or, with
--scheduler, on a Dask cluster, and go to notebooks/evidence/ one by one.
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path

import joblib

from pgcourse.display.live import AUDIENCE
from pgcourse.studies.evidence import FOLDER, Evidence
from pgcourse.tools.course import ROOT


def main() -> int:
    """Run the studies named on the command line, or all of them; 1 if a run failed."""
    found = sorted((ROOT / "pgcourse" / "studies").glob("chapter_*.py"))
    known = [path.stem.removeprefix("chapter_") for path in found]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help=f"of chapters: {', '.join(known)} (all)")
    parser.add_argument("--scheduler", help="address of a Dask scheduler, such as tcp://host:8786")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the rows go")
    options = parser.parse_args()
    if unknown := {name for name in options.names if "." not in name} - set(known):
        parser.error(f"no study {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    os.environ.setdefault(AUDIENCE, "terminal")
    failed = []
    with contextlib.ExitStack() as stack:
        if options.scheduler:
            from distributed import Client

            stack.enter_context(Client(options.scheduler))
            stack.enter_context(joblib.parallel_config(backend="dask"))
        for name in options.names or known:
            evidence = Evidence(name, options.folder)
            failed += evidence.run()
            print(f"{evidence.path.name}: {len(evidence.rows)} rows", flush=True)
    if failed:
        print(*failed, sep="\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
