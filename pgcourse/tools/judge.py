"""The judge: runs checks on answers in a process that no other answer has touched.

`python -m pgcourse.tools.judge` reads a line of JSON, {"imports": code}, then one for each
check, {"answers": file, "check": code, "seconds": number}, and answers each with a line of JSON.
"""

import contextlib
import ctypes
import io
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import cloudpickle

from pgcourse.tools.sandbox import confined, environment

WORDS, LONGEST = 2_000, 100_000  # characters of what a check says, bytes of a reply


def hand_over(file: str, names: list[str], space: dict[str, Any]) -> None:
    """Write answers for the judge; a student's kernel calls it.

    Args:
        file: where to.
        names: of the answers.
        space: what has been defined, by name.
    """
    answers = {name: space[name] for name in names if name in space}
    Path(file).write_bytes(cloudpickle.dumps(answers))


def verdict(request: dict, given: dict[str, Any]) -> dict:
    """Return {"right": bool, "said": what the check said} for one request.

    Args:
        given: the course's names, which no answer replaces.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            answers = cloudpickle.loads(Path(request["answers"]).read_bytes())
            exec(compile(request["check"], "<check>", "exec"), answers | given)
    except AssertionError as error:
        return {"right": False, "said": str(error)[:WORDS]}
    except BaseException as error:  # a student's code may raise anything
        return {"right": False, "said": f"{type(error).__name__}: {error}"[:WORDS]}
    return {"right": True, "said": said.getvalue()[-WORDS:].strip()}


def judged(request: dict, given: dict[str, Any], replies: IO[str]) -> dict:
    """Return the verdict on one request, from a child process that ends with it.

    Args:
        replies: where verdicts go; the child closes it, so that it gives none for later checks.
    """
    processes = multiprocessing.get_context("fork")  # it has loaded the course already
    mine, its = processes.Pipe(duplex=False)

    def answer() -> None:
        os.close(replies.fileno())
        its.send_bytes(json.dumps(verdict(request, given)).encode())

    child = processes.Process(target=answer)
    child.start()
    its.close()
    try:
        if mine.poll(request["seconds"]):
            return json.loads(mine.recv_bytes(LONGEST))
        said = f"The check ran longer than {request['seconds']:g} s."
    except (EOFError, ValueError):
        said = "The answer ended the process of its check."
    finally:
        child.kill()
        child.join()
    return {"right": False, "said": said}


class Judge:
    """The process in which checks run, in a sandbox.

    Args:
        imports: the code that gives the checks their names.
        folder: its own.
        answers: where answers will lie.
        seconds: the most for one check.
        sandbox: as for `confined`.

    Raises:
        RuntimeError: it cannot load the checks.
    """

    def __init__(
        self, imports: str, folder: Path, answers: Path, seconds: float, sandbox: bool = True
    ):
        self.seconds = seconds
        self.process = subprocess.Popen(
            confined([sys.executable, "-m", "pgcourse.tools.judge"], folder, [answers], sandbox),
            env=environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        with contextlib.suppress(OSError):
            self.tell({"imports": imports})
        if self.process.stdout.readline(LONGEST) != "ready\n":
            self.close()
            raise RuntimeError("the checks cannot be loaded here")

    def tell(self, words: dict) -> None:
        """Send it a line."""
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def verdict(self, answers: Path, check: str) -> dict:
        """Return {"right": bool, "said": text}, whatever the answers do."""
        watch = threading.Timer(2 * self.seconds + 60, self.process.kill)
        watch.start()
        try:
            self.tell({"answers": str(answers), "check": check, "seconds": self.seconds})
            found = json.loads(self.process.stdout.readline(LONGEST))
            return {"right": found["right"] is True, "said": str(found["said"])[:WORDS]}
        except (OSError, ValueError, KeyError, TypeError):
            return {"right": False, "said": "The answer ended the process of its check."}
        finally:
            watch.cancel()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


def main() -> int:
    """Answer one request after the other."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what answers print is no reply
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(4, 0)  # PR_SET_DUMPABLE: children cannot open what it has open
    given: dict[str, Any] = {"__name__": "__main__"}
    exec(json.loads(sys.stdin.readline())["imports"], given)
    print("ready", file=replies)
    for line in sys.stdin:
        print(json.dumps(judged(json.loads(line), given, replies)), file=replies)
    return 0


if __name__ == "__main__":
    sys.exit(main())
