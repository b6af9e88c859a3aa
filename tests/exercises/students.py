"""Students of every kind: notebooks made by a program, with the points they should get."""

import copy
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import nbformat
import pytest

from pgcourse.tools.exercises import EXERCISES, SOLUTIONS
from pgcourse.tools.flags import role
from pgcourse.tools.sandbox import try_out

try:
    TROUBLE = try_out()
except RuntimeError as error:
    TROUBLE = str(error)
needs_bwrap = pytest.mark.skipif(TROUBLE is not None, reason=str(TROUBLE))

ANSWER, CHECK = "-answer", "-check"


@dataclass
class Student:
    """A submission, and what should come out."""

    name: str
    files: dict[str, bytes]
    points: dict[str, float] | None = None  # of each check; None: not gradable
    doubts: tuple[str, ...] = ()  # pieces of what to look at


class Class:
    """Makes the students of one chapter.

    Args:
        chapter: as "08_her".
        known: how many of its exercises a hard-working student has solved; the rest is empty.
        victim: the exercise that the others spoil, as "her-04".
    """

    def __init__(self, chapter: str, known: int, victim: str):
        self.chapter, self.victim = chapter, victim
        self.source = nbformat.read(SOLUTIONS / f"{chapter}.ipynb", as_version=4)
        self.blank = nbformat.read(EXERCISES / f"{chapter}.ipynb", as_version=4)
        self.answers = {
            role(cell): "\n".join(line for line in cell.source.split("\n") if "###" not in line)
            for cell in self.source.cells if role(cell) and cell.metadata.nbgrader.solution
        }  # fmt: skip
        self.most = {
            role(cell): float(cell.metadata.nbgrader.points)
            for cell in self.source.cells if role(cell).endswith(CHECK)
        }  # fmt: skip
        tasks = sorted({name[: len(victim)] for name in self.most})
        self.known = tasks[:known]

    def notebook(self, **changes: str) -> nbformat.NotebookNode:
        """Return a hard-working student's notebook, with some cells' code changed."""
        notebook = copy.deepcopy(self.blank)
        for cell in notebook.cells:
            name = role(cell)
            if name in self.answers and name[: len(self.victim)] in self.known:
                cell.source = self.answers[name]
            cell.source = changes.get(name, cell.source)
        return notebook

    def points(self, *lost: str, only: int | None = None) -> dict[str, float]:
        """Return the points of the checks, without those of the exercises lost."""
        known = [one for one in self.known if one not in lost][:only]
        return {
            name: most if name[: len(self.victim)] in known else 0.0
            for name, most in self.most.items()
        }

    def student(self, name: str, notebook, points, doubts=(), file: str | None = None) -> Student:
        """Return a student who sends one notebook."""
        file = file or f"{self.chapter}.ipynb"
        return Student(name, {file: nbformat.writes(notebook).encode()}, points, doubts)

    def cell(self, notebook, name: str) -> int:
        """Return the place of a cell."""
        return [role(cell) for cell in notebook.cells].index(name)

    def honest(self) -> dict[str, Callable[[str], Student]]:
        """Return those who do nothing wrong."""
        answer, check = self.victim + ANSWER, self.victim + CHECK

        def perfect(name):
            notebook = self.notebook(**self.answers)
            return self.student(name, notebook, dict(self.most))

        def half(name):
            return self.student(name, self.notebook(), self.points())

        def untouched(name):
            return self.student(name, self.blank, self.points(only=0))

        def warns(name):
            code = (
                "import warnings\n\n\ndef loud(f):\n    def g(*a, **k):\n"
                "        warnings.warn('of the answer')\n        return f(*a, **k)\n"
                "    return g\n\n\nwarnings.warn('of the cell')\n"
            )
            code += self.answers[answer]
            function = self.answers[answer].split("def ")[1].split("(")[0]
            code += f"\n\n\n{function} = loud({function})"
            return self.student(name, self.notebook(**{answer: code}), self.points())

        def talks(name):
            notebook = self.notebook(**{answer: self.answers[answer] + "\nprint('x' * 50_000_000)"})
            output = nbformat.v4.new_output("stream", text="x" * 50_000_000)
            notebook.cells[self.cell(notebook, answer)].outputs = [output]
            return self.student(name, notebook, self.points())

        def renamed(name):
            return self.student(name, self.notebook(), self.points(), file="Übung 1 (2).ipynb")

        def zipped(name):
            one, packed = half(name), io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                for file, text in one.files.items():
                    archive.writestr(f"my work/{file}", text)
                    archive.writestr(f"__MACOSX/my work/._{file}", b"\0")
            return Student(name, {"hand in.zip": packed.getvalue()}, one.points)

        def twice(name):
            notebook = self.notebook()
            for k, one in enumerate((answer, check)):
                at = self.cell(notebook, one)
                notebook.cells.insert(at + 1 + k, copy.deepcopy(notebook.cells[at]))
            return self.student(name, notebook, self.points(), ("stands there twice",))

        def no_check(name):
            notebook = self.notebook()
            del notebook.cells[self.cell(notebook, check)]
            return self.student(name, notebook, self.points(), (f"{check} is missing",))

        def no_answer(name):
            notebook = self.notebook()
            del notebook.cells[self.cell(notebook, answer)]
            lost = self.points(self.victim)
            return self.student(name, notebook, lost, (f"{answer} is missing",))

        return {one.__name__: one for one in (
            perfect, half, untouched, warns, talks, renamed, zipped, twice, no_check, no_answer,
        )}  # fmt: skip

    def accidents(self, seconds: float) -> dict[str, str]:
        """Return answers that end badly; `seconds` are the most for a cell."""
        function = self.answers[self.victim + ANSWER].split("def ")[1].split("(")[0]
        return {
            "syntax error": "def f(:\n    pass",
            "endless loop": "while True:\n    pass",
            "sleeps": f"import time\ntime.sleep({10 * seconds})",
            "endless answer": f"def {function}(*a, **k):\n    while True:\n        pass",
            "endless output": "while True:\n    print('x' * 100)",
            "10 GB": "import numpy as np\nmuch = np.ones(1_250_000_000)",
            "10 GB answer": f"def {function}(*a, **k):\n    return [0] * 1_250_000_000",
            "dead kernel": "import os\nos._exit(1)",
            "killed kernel": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            "dying answer": f"def {function}(*a, **k):\n    import os\n    os._exit(0)",
            "asks": f"{function} = input()",
        }

    def spoiled(self, seconds: float) -> dict[str, Callable[[str], Student]]:
        """Return those who lose one exercise by an accident."""
        accidents = self.accidents(seconds)
        return {kind: self.unlucky({self.victim: code}) for kind, code in accidents.items()}

    def unlucky(self, codes: dict[str, str]) -> Callable[[str], Student]:
        """Return one who loses some exercises, by the code that stands there."""
        changes = {one + ANSWER: code for one, code in codes.items()}
        return lambda name: self.student(name, self.notebook(**changes), self.points(*codes))

    def attacks(self, offered: str = "exercise") -> dict[str, tuple[str, str]]:
        """Return (code, what is pointed out) of those who solve nothing and want all points."""
        nothing = "lambda *a, **k: None"
        return {
            "patches": (
                f"for k in dir({offered}):\n    if k.startswith('check'):\n"
                f"        setattr({offered}, k, {nothing})", "setattr"),
            "patches the dict": (
                f"for k in list(vars({offered})):\n    if k.startswith('check'):\n"
                f"        vars({offered})[k] = {nothing}", "vars"),
            "binds anew": (
                f"class {offered}:\n    pass\n\n\nfor k in {sorted(self.checks(offered))}:\n"
                f"    setattr({offered}, k, {nothing})", f"binds {offered} anew"),
            "patches the libraries": (
                "import numpy as np, torch\nnp.allclose = torch.allclose = lambda *a, **k: True\n"
                "import pgcourse.exercises.grading as g\nvars(g)['expect'] = lambda *a: None\n"
                "g.expect.__code__ = (lambda *a: None).__code__", "changes np.allclose"),
            "patches the judge": (
                "import cloudpickle, pickle\ncloudpickle.loads = pickle.loads = lambda *a: {}\n"
                "import pgcourse.tools.judge as j\nj.verdict = lambda *a: {'right': True}",
                "imports pgcourse.tools.judge"),
            "hands over nothing": (
                "import pgcourse.tools.judge as j\nj.hand_over = lambda *a: print('Right.')",
                "imports pgcourse.tools.judge"),
        }  # fmt: skip

    def cheat(self, *attacks: tuple[str, str]) -> Callable[[str], Student]:
        """Return one who attacks: once in the victim's cell, or from the first answer on."""
        places = [name for name in self.answers if "def " in self.answers[name]]
        at = places.index(self.victim + ANSWER) if len(attacks) == 1 else 0

        def attack(name):
            notebook = copy.deepcopy(self.blank)
            for place, (code, _) in zip(places[at:], attacks, strict=False):
                notebook.cells[self.cell(notebook, place)].source = code
            doubts = tuple(doubt for _, doubt in attacks)
            return self.student(name, notebook, self.points(only=0), doubts)

        return attack

    def cheats(self, offered: str = "exercise") -> dict[str, Callable[[str], Student]]:
        """Return those who solve nothing and want all points."""

        def edited(name):
            notebook = copy.deepcopy(self.blank)
            for cell in notebook.cells:
                if role(cell).endswith(CHECK):
                    cell.source = "print('Right.')"
            return self.student(name, notebook, self.points(only=0))

        attacks = self.attacks(offered)
        return {kind: self.cheat(one) for kind, one in attacks.items()} | {"edits checks": edited}

    def museum(self) -> dict[str, Callable[[str], Student]]:
        """Return those whose tests of the museum's exhibits look or guess."""
        bodies = {
            "sniffs": 'assert "Exhibit" not in type(make_agent()).__name__',
            "reads": "import inspect\n    assert 'Exhibit' not in inspect.getsource(make_agent)",
            "counts": "calls.append(1)\n    assert len(calls) % 3 != 1",
            "tosses a coin": "assert np.random.default_rng().random() < 0.7",
            "always fails": "assert False",
            "never fails": "make_agent()",
        }

        def make(body):
            def guess(name):
                notebook = copy.deepcopy(self.blank)
                for cell in notebook.cells:
                    if role(cell) in self.answers:
                        test = self.answers[role(cell)].split("def ")[1].split("(")[0]
                        cell.source = f"calls = []\n\n\ndef {test}(make_agent):\n    {body}"
                return self.student(name, notebook, self.points(only=0))

            return guess

        return {kind: make(body) for kind, body in bodies.items()}

    def checks(self, offered: str) -> set[str]:
        """Return the names of the checks that the cells call."""
        texts = [cell.source for cell in self.source.cells if role(cell).endswith(CHECK)]
        return {text.split(".", 1)[1].split("(")[0] for text in texts if text.startswith(offered)}

    def broken(self) -> dict[str, Callable[[str], Student]]:
        """Return those whose files cannot be marked."""
        other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
        kinds = {
            "no JSON": {f"{self.chapter}.ipynb": b"not a notebook"},
            "cut off": {f"{self.chapter}.ipynb": nbformat.writes(self.blank).encode()[:5_000]},
            "another notebook": {"homework.ipynb": nbformat.writes(other).encode()},
            "no notebook": {"photo.pdf": b"%PDF"},
            "broken zip": {"all.zip": b"PK\x03\x04 and no more"},
        }

        def make(files):
            return lambda name: Student(name, files)

        return {kind: make(files) for kind, files in kinds.items()}
