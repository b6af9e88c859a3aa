"""Mark one notebook: its cells run in one sandbox, the checks in another."""

import ast
import builtins
import contextlib
import queue
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import zmq
from jupyter_client import BlockingKernelClient, KernelManager

from pgcourse.tools.flags import OFFERED, bound, role
from pgcourse.tools.judge import WORDS, Judge
from pgcourse.tools.sandbox import confined, environment

HAND_OVER = (
    "__import__('pgcourse.tools.judge', fromlist=['judge']).hand_over({!r}, {!r}, globals())"
)
GRACE, LARGEST = 5.0, 100_000_000  # seconds to stop a cell; bytes of a message
COURSE = 10.0  # as long as a student's cell, a cell of the course may take: it loads PyTorch
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Mark:
    """What one graded cell got."""

    cell: str
    most: float
    points: float | None = None  # None: for the teacher to mark
    said: str = ""


class CellError(Exception):
    """A student's cell did not end well, or ended the kernel."""


class Kernel:
    """A student's kernel, in a sandbox.

    Args:
        folder: gets a new folder for each start, all that the kernel can write to.
        seconds: the most for one cell.
        sandbox: as for `confined`.
    """

    def __init__(self, folder: Path, seconds: float, sandbox: bool = True):
        self.folder, self.seconds, self.sandbox = folder, seconds, sandbox
        self.manager: KernelManager | None = None

    def start(self) -> None:
        """Start it, or start it anew."""
        self.close()
        # A new one each time: what a student left there might be a link to a file of the teacher.
        self.own = Path(tempfile.mkdtemp(dir=self.folder))
        context = zmq.Context()
        context.setsockopt(zmq.MAXMSGSIZE, LARGEST)
        self.manager = KernelManager(
            transport="ipc", ip=str(self.own / "k"), context=context,
            connection_file=str(self.own / "kernel.json"),
        )  # fmt: skip
        spec = self.manager.kernel_spec
        spec.interrupt_mode = "message"
        spec.argv = confined(
            [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            self.own, sandbox=self.sandbox,
        )  # fmt: skip
        self.manager.start_kernel(
            env=environment(self.own), independent=True,  # it cannot see its parent
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.manager is not None

    def close(self) -> None:
        """End it, whatever it does."""
        if self.manager is not None:
            self.client.stop_channels()
            self.manager.shutdown_kernel(now=True)
            self.manager = None

    def run(self, code: str, patience: float = 1.0) -> None:
        """Run code, for `patience` times as long as a cell may take.

        Raises:
            CellError: it raised or ran too long, or it ended the kernel, which is then closed.
        """
        request = self.client.execute(code, store_history=False, allow_stdin=False)
        ended, error = self.wait(request, patience * self.seconds)
        if ended and not error:
            return
        if not ended and self.manager.is_alive():
            self.manager.interrupt_kernel()
            ended, _ = self.wait(request, GRACE)
            error = f"ran longer than {self.seconds:g} s"
        if not ended:
            self.close()
        raise CellError(error or "ended the kernel")

    def wait(self, request: str, seconds: float) -> tuple[bool, str]:
        """Return whether a request came to its end, and its error."""
        end, error = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                if not self.manager.is_alive():
                    break
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            if message["msg_type"] == "error":
                error = COLOURS.sub("", f"{content['ename']}: {content['evalue']}"[:WORDS])
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return True, error
        return False, error


def needed(check: str, course: set[str]) -> list[str]:
    """Return the names of answers that a check reads."""
    names = {node.id for node in ast.walk(ast.parse(check)) if isinstance(node, ast.Name)}
    return sorted(names - course - set(dir(builtins)))


def steps(submitted: nbformat.NotebookNode, given: dict) -> list[tuple[str, str]]:
    """Return (role, code) of what is to be run: the student's cells, the course's own restored.

    A cell of the course that is missing comes where its forerunner stands; a second copy of a
    check or of a given cell is left out.
    """
    found, seen = [], set()
    for cell in submitted.cells:
        name = role(cell)
        if name in given and not given[name].metadata.nbgrader.solution:
            cell = given[name]
            if name in seen:
                continue
        seen.add(name)
        if cell.cell_type == "code":
            found.append((name, cell.source))
    order = list(given)
    for name in order:
        if name not in seen and given[name].cell_type == "code":
            if not given[name].metadata.nbgrader.solution:
                before = set(order[: order.index(name)])
                at = max((k + 1 for k, (one, _) in enumerate(found) if one in before), default=0)
                found.insert(at, (name, given[name].source))
    return found


def first_marks(submitted: nbformat.NotebookNode, given: dict) -> dict[str, Mark]:
    """Return a mark for each graded cell: of texts as far as a program can tell, of checks none."""
    marks = {
        name: Mark(name, float(cell.metadata.nbgrader.points))
        for name, cell in given.items() if cell.metadata.nbgrader.grade
    }  # fmt: skip
    texts, last = {}, ""
    for cell in submitted.cells:
        last = role(cell) or last
        if cell.cell_type == "markdown" or role(cell):  # a text may go on in a cell of its own
            texts[last] = (texts.get(last, "") + "\n" + cell.source).strip()
    for name, one in marks.items():
        if given[name].metadata.nbgrader.solution:
            blank = texts.get(name, "") in ("", "Your answer here.")
            one.points, one.said = (0.0, "No answer.") if blank else (None, "To mark by hand.")
    return marks


def judged(cell: nbformat.NotebookNode, kernel: Kernel, judge: Judge, course: set) -> dict:
    """Let the kernel hand over what a check needs, and the judge run the check."""
    answers = kernel.own / f"{role(cell)}.pkl"
    try:
        kernel.run(HAND_OVER.format(str(answers), needed(cell.source, course)))
    except CellError as error:
        return {"right": False, "said": f"The answer cannot be handed over: {error}"}
    if not answers.exists():
        return {"right": False, "said": "The answer was not handed over."}
    return judge.verdict(answers, cell.source)


def mark(
    submitted: nbformat.NotebookNode,
    source: nbformat.NotebookNode,
    folder: Path,
    seconds: float = 120.0,
    minutes: float = 15.0,
    sandbox: bool = True,
) -> list[Mark]:
    """Return the marks of a notebook's graded cells, in the source's order.

    Args:
        submitted: the student's.
        source: with the solutions and hidden tests.
        folder: an empty one for the sandboxes.
        seconds: the most for one cell, and for one check.
        minutes: the most for all; what comes later is not gradable.
        sandbox: as for `confined`.
    """
    given = {role(cell): cell for cell in source.cells if role(cell)}
    marks, todo, troubles = first_marks(submitted, given), steps(submitted, given), {}
    imports = "\n".join(cell.source for name, cell in given.items() if name.endswith(OFFERED))
    course, end = set(bound(imports)), time.monotonic() + 60 * minutes
    students, judges = folder / "student", folder / "judge"
    students.mkdir(), judges.mkdir()
    kernel = Kernel(students, seconds, sandbox)
    with contextlib.ExitStack() as stack:
        # The judge has loaded everything before the student's first cell runs.
        judge = stack.enter_context(
            contextlib.closing(Judge(imports, judges, students, seconds, sandbox))
        )
        stack.callback(kernel.close)
        while not kernel.alive:  # each time without the cell that ended it
            kernel.start()
            for at, (name, code) in enumerate(todo):
                if time.monotonic() > end:
                    break
                if name not in marks:
                    own = name in given and not given[name].metadata.nbgrader.solution
                    try:
                        kernel.run(code, COURSE if own else 1.0)
                    except CellError as error:
                        troubles[name] = str(error)
                elif marks[name].points is None and not marks[name].said:
                    found = judged(given[name], kernel, judge, course)
                    marks[name].points = marks[name].most if found["right"] else 0.0
                    marks[name].said = found["said"]
                if not kernel.alive:
                    del todo[at]
                    break
    for name, one in marks.items():
        answer = name.removesuffix("-check") + "-answer"
        if one.points == 0.0 and answer in troubles:
            one.said = f"The answer's cell: {troubles[answer]}. {one.said}"
        if one.points is None and not one.said:
            one.points, one.said = 0.0, "Not gradable: the cells before it took too long."
    return list(marks.values())
