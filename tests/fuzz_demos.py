"""Throw damaged and hostile files at load_demos: `python -m tests.fuzz_demos 100000`."""

import math
import pickle
import random
import re
import struct
import sys
import tempfile
import time
from pathlib import Path

from pgcourse import load_demos
from pgcourse.tasks import demo_files

ROOT = Path(__file__).parents[1]
MAX_BYTES = demo_files.MAX_BYTES[".pkl"]
REFUSAL = re.compile(r"path: got .*expected demonstrations: a pickled list of tuples", re.DOTALL)
MEGABYTES = 100  # allowed above what the process has at the start
# A file may take 100 ms of CPU time, or on a slow or busy machine 3 times what demo.pkl takes then.
SECONDS, RATIO = 0.1, 3.0
NUMBERS = [math.nan, math.inf, -1e300, 2.0]  # no reward, or no action
DANGEROUS = b"cio\x81\x92\x93Rb\x82\x83\x84PQ(lBT\x8d\x8e\x8a\x8b\x95\x94r\x85\x86\x87ju2h"


def seeds() -> list[bytes]:
    """Return sound files to damage: small ones of every protocol, and the real one last."""
    rows = load_demos(ROOT / "demo.pkl")
    files = [pickle.dumps(rows[:12], protocol) for protocol in range(2, 6)]
    return [*files, (ROOT / "demo.pkl").read_bytes()]


def damage(data: bytes, chance: random.Random) -> bytes:
    """Return the data with one to four random faults."""
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(8)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << chance.randrange(8)
        elif kind == 1 and data:
            data[at % len(data)] = chance.randrange(256)
        elif kind == 2:
            data[at:at] = chance.randbytes(chance.randint(1, 9))
        elif kind == 3:
            del data[at : at + chance.randint(1, 40)]
        elif kind == 4:
            data[at:at] = data[at : at + chance.randint(1, 200)]
        elif kind == 5:
            data[at:] = b""
        elif kind == 6 and (found := data.find(b"G", at)) >= 0:  # BINFLOAT
            data[found + 1 : found + 9] = struct.pack(">d", chance.choice(NUMBERS))
        else:
            data[at:at] = bytes([chance.choice(DANGEROUS)]) + chance.randbytes(chance.randint(0, 8))
    return bytes(data)


def hostile(sentinel: Path) -> dict[str, bytes]:
    """Return files that would touch the sentinel, or take much memory, if they were trusted."""
    command = f"touch {sentinel}".encode()
    text = b"X" + struct.pack("<I", len(command)) + command  # BINUNICODE
    short = b"\x8c\x02os\x8c\x06system\x93"  # SHORT_BINUNICODE twice, STACK_GLOBAL
    dotted = b"\x8c\x02os\x8c\x0fsystem.__call__\x93"
    argument = text + b"\x85"  # TUPLE1
    calls = {
        "REDUCE": b"cos\nsystem\n" + argument + b"R.",
        "REDUCE, text": b"cos\nsystem\n(V" + command + b"\ntR.",
        "INST": b"(" + text + b"ios\nsystem\n.",
        "OBJ": b"(cos\nsystem\n" + text + b"o.",
        "NEWOBJ": b"cos\nsystem\n" + argument + b"\x81.",
        "NEWOBJ_EX": b"cos\nsystem\n" + argument + b"}\x92.",
        "STACK_GLOBAL": short + argument + b"R.",
        "STACK_GLOBAL, dotted": dotted + argument + b"R.",
        "BUILD": b"cos\nsystem\n}" + text + b"K\x01sb.",
        "EXT1": b"\x82\x01" + argument + b"R.",
        "EXT2": b"\x83\x01\x00" + argument + b"R.",
        "EXT4": b"\x84\x01\x00\x00\x00" + argument + b"R.",
        "PERSID": b"Pos.system\n.",
        "BINPERSID": text + b"Q.",
        "in a list": b"](cos\nsystem\n" + argument + b"Re.",
    }
    files = {
        f"{name}, protocol {p}": (b"" if p < 2 else bytes([0x80, p])) + code
        for name, code in calls.items()
        for p in range(6)
    }
    huge = struct.pack("<I", 0x7FFFFFFF)
    eight = struct.pack("<Q", 1 << 40)
    bombs = {
        "LONG_BINPUT": b"]r" + huge + b".",
        "BINPUT": b"]q\xff.",
        "PUT": b"]p2147483647\n.",
        "LONG_BINGET": b"]j" + huge + b".",
        "LONG4": b"\x8b" + huge + b".",
        "LONG1": b"\x8a\xff" + b"\xff" * 255 + b".",
        "BINUNICODE8": b"\x8d" + eight + b".",
        "BINBYTES8": b"\x8e" + eight + b".",
        "BYTEARRAY8": b"\x96" + eight + b".",
        "FRAME": b"\x95" + eight + b"].",
        "FRAME, negative": b"\x95" + b"\xff" * 8 + b"].",
        "deep lists": b"]" * 90_000 + b"a" * 89_999 + b".",
        "deep tuples": b")" + b"\x85" * 90_000 + b".",
        "empty lists": b"]" * (MAX_BYTES - 4),
        "marks": b"(" * (MAX_BYTES - 4),
        "memo": b"]" + b"\x94" * (MAX_BYTES - 8) + b".",
        "itself": b"]\x94h\x00a.",
        "doubling": b"]\x94" + b"(h\x00h\x00e\x94" * 40 + b".",
        "too long": b"]" * (MAX_BYTES + 10),
        "INT": b"I" + b"9" * 4_000_000 + b"\n.",
    }
    return files | {name: b"\x80\x04" + code for name, code in bombs.items()}


def is_sound(rows) -> bool:
    """Say whether these are transitions, checked by other means than load_demos does."""
    shape = None
    for obs, action, reward, next_obs, terminated in rows:
        numbers = [*obs, *action, reward, *next_obs]
        fits = all(isinstance(x, float) and math.isfinite(x) for x in numbers)
        shape = shape or (len(obs), len(action), len(obs))
        if not fits or (len(obs), len(action), len(next_obs)) != shape:
            return False
        if not isinstance(terminated, bool) or max(map(abs, action)) > 1:
            return False
    return bool(rows)


def outcome(path: Path) -> str:
    """Load one file and say what came of it; fail on anything but the two ways out."""
    try:
        rows = load_demos(path)
    except ValueError as error:
        assert REFUSAL.match(str(error)), error
        return "refused"
    assert is_sound(rows)
    return "loaded"


def timed(path: Path) -> tuple[float, str]:
    """Load one file: (CPU seconds, what came of it)."""
    start = time.process_time()
    result = outcome(path)
    return time.process_time() - start, result


def attempt(path: Path, data: bytes, counts: dict) -> None:
    """Load one file, count what came of it, and fail if it is slow three times in a row."""
    path.write_bytes(data)
    for _ in range(3):
        seconds, result = timed(path)
        limit = SECONDS if seconds < SECONDS else RATIO * timed(ROOT / "demo.pkl")[0]
        if seconds < limit:
            break
    counts[result] += 1
    counts["slowest ms"] = max(counts["slowest ms"], round(1_000 * seconds))
    assert seconds < limit, (seconds, limit, data[:200])


def limit_memory() -> None:
    """Allow this process so much more memory than it has now, where the system can."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, FileNotFoundError):
        return  # not Linux
    limit = pages * resource.getpagesize() + MEGABYTES * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(count: int) -> None:
    """Try every hostile file, then so many damaged ones, and print the counts."""
    counts = {"loaded": 0, "refused": 0, "slowest ms": 0}
    chance, sound = random.Random(0), seeds()
    limit_memory()
    with tempfile.TemporaryDirectory() as folder:
        path, sentinel = Path(folder) / "demo.pkl", Path(folder) / "sentinel"
        files = hostile(sentinel)
        for data in files.values():
            attempt(path, data, counts)
        assert counts["loaded"] == 0 and counts["refused"] == len(files), counts
        for k in range(count):
            data = sound[-1] if k % 50 == 0 else sound[k % (len(sound) - 1)]
            attempt(path, damage(data, chance), counts)
        assert not sentinel.exists(), "a file ran its command"
    print(f"{len(files)} hostile and {count} damaged files:", counts)


if __name__ == "__main__":
    main(int(sys.argv[1]))
