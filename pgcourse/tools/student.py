"""Pack what a student needs, without solutions: `python -m pgcourse.tools.student`.

Writes build/pgcourse-student.zip: the chapters, the exercises, the module, what runs them, and
a README and a Makefile of its own.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

from pgcourse.tools.course import ROOT

OUT = ROOT / "build" / "pgcourse-student.zip"
OWN = "pgcourse/tools/student_files/"  # README.md, Makefile, venv.mk
TOP = ("LICENSE", "pyproject.toml", "requirements.txt", "demo.pkl")
FOLDERS = ("pgcourse/", "notebooks/")
LEFT_OUT = ("notebooks/solutions/", "notebooks/TEACHING.md", "pgcourse/tools/site_source/")
EPOCH = (1980, 1, 1, 0, 0, 0)  # one time for all files: the same course gives the same bytes


def contents(root: Path = ROOT) -> list[str]:
    """Return the names of the files that go to a student: tracked ones, sorted."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    return sorted(
        name
        for name in tracked
        if (name in TOP or name.startswith(FOLDERS)) and not name.startswith(LEFT_OUT)
    )


def pack(out: Path = OUT, root: Path = ROOT) -> int:
    """Write the zip and return its number of files."""
    out.parent.mkdir(parents=True, exist_ok=True)
    names = contents(root)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            info = zipfile.ZipInfo(f"pgcourse-student/{name.removeprefix(OWN)}", EPOCH)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            file.writestr(info, (root / name).read_bytes())
    return len(names)


def main() -> int:
    """Pack the zip and say how large it is."""
    count = pack()
    print(f"{OUT.relative_to(ROOT)}: {count} files, {OUT.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
