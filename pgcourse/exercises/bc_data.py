"""Checks of chapter 07's exercises on data: episodes, a file from a stranger, seeds."""

import io
import pickle
import pickletools
from collections.abc import Callable, Iterable, Set
from typing import Any

import numpy as np

from pgcourse.exercises.ddpg_kit import attempt, close
from pgcourse.exercises.grading import call, expect, fresh, number, right


def rows(
    rewards: Iterable[Iterable[float]], ends: Iterable[bool], gaps: Iterable[float] = ()
) -> list[tuple]:
    """Return transitions of episodes in a world of two numbers, of which one never changes.

    Args:
        rewards: of each step of each episode.
        ends: whether an episode terminated; False means that a time limit truncated it.
        gaps: how far from its end the next episode starts; 10 if it is left out.
    """
    found, place, gaps = [], 0.0, list(gaps)
    for episode, terminated in zip(rewards, ends, strict=True):
        episode = list(episode)
        for k, reward in enumerate(episode):
            last = k == len(episode) - 1
            found.append(([5.0, place], [0.0], reward, [5.0, place + 1], terminated and last))
            place += 1
        place += gaps.pop(0) if gaps else 10
    return found


def wander(rng: np.random.Generator, size: int, episodes: int) -> tuple[list[tuple], list[float]]:
    """Return random transitions, with obs of `size` numbers, and the returns of the episodes.

    An episode that terminated may be followed by one that starts just there; the others are
    followed by one whose first obs differs in one number.
    """
    demo, found, obs = [], [], rng.normal(size=size)
    for _ in range(episodes):
        rewards, terminated = rng.normal(size=rng.integers(1, 6)).tolist(), rng.random() < 0.5
        for left in range(len(rewards))[::-1]:
            after = rng.normal(size=size)
            reward = rewards[-1 - left]
            demo.append((obs.tolist(), [0.0], reward, after.tolist(), terminated and not left))
            obs = after
        found.append(sum(rewards))
        if not terminated or rng.random() < 0.5:
            obs = obs + 0.05 * (np.arange(size) == rng.integers(size))
    return demo, found


def check_episode_returns(answer: Callable) -> None:
    """Grade the returns of the episodes in a list of transitions."""

    def returns(demo: list[tuple]) -> list[float]:
        found = call(answer, demo)
        expect(np.ndim(found) == 1, f"Return a list, one number per episode; got {found!r}.")
        return [number("a return", each) for each in found]

    found = returns(rows([[1, 2, 3], [10], [100, 200]], [True, True, True]))
    expect(len(found) > 0, "Your list is empty.")
    expect(len(found) != 2, "The last episode is missing.")
    expect(len(found) != 6, "Yours has a number for each row. Add up those of one episode.")
    expect(
        not close(sum(found), 316) or len(found) == 3, f"Three episodes; yours has {len(found)}."
    )
    expect(
        len(found) == 3 and close(found, [6, 10, 300]), f"The returns are 6, 10, 300; got {found}."
    )
    found = returns(rows([[1, 2, 3], [10, 20], [5]], [False, True, False]))
    expect(
        not close(sum(found), 41) or len(found) == 3,
        f"An episode that a time limit truncated ends where the next row starts elsewhere: three "
        f"episodes; yours has {len(found)}.",
    )
    expect(len(found) == 3 and close(found, [6, 30, 5]), f"The returns are 6, 30, 5; got {found}.")
    found = returns(rows([[1, 2], [4, 8], [16]], [True, True, True], gaps=[0, 10]))
    expect(
        len(found) != 2,
        "Where terminated is true an episode ends, even if the next one happens to start just "
        "there, at next_obs. Yours takes the two for one.",
    )
    expect(len(found) == 3 and close(found, [3, 12, 16]), f"The returns are 3, 12, 16: {found}.")
    found = returns(rows([[1, -1], [0], [2]], [False, True, False], gaps=[-1, 10]))
    expect(
        len(found) == 3 and close(found, [0, 0, 2]),
        "An episode may have the return 0, and the next one may start from the last row's obs: "
        f"the returns are 0, 0, 2; got {found}.",
    )
    found = returns(rows([[7]], [False]))
    expect(found == [7], f"A single row that did not terminate is an episode as well; got {found}.")
    rng = fresh()
    for size, episodes in ((1, 1), (1, 9), (2, 9), (3, 30), (5, 30)):
        demo, wanted = wander(rng, size, episodes)
        found = returns(demo)
        expect(
            len(found) == episodes,
            f"{len(demo)} random rows of {episodes} episodes: yours has {len(found)}. An obs has "
            f"{size} numbers here, and starts elsewhere if any of them is another, be it by 0.05.",
        )
        expect(
            close(found, wanted),
            "The episodes are found, but not their returns: on random rewards the first one's is "
            f"{wanted[0]:.4f}; yours {found[0]:.4f}.",
        )
    empty = attempt("episode_returns", answer, [])
    nothing = np.ndim(empty) == 1 and len(empty) == 0
    expect(nothing, f"No transitions, no episodes: an empty list; got {empty}.")
    right("terminated alone does not tell where episodes end, and neither do the places.")


class Trap:
    """Calls something when it is unpickled."""

    loaded: list = []  # noqa: RUF012  # a note of every call, shared on purpose

    def __reduce__(self) -> tuple:
        return spring, ()


def spring() -> None:
    """Note that a trap was sprung."""
    Trap.loaded.append(True)


class Plain:
    """An object without a trap; its class is looked up all the same."""


class Named(Plain):
    """An object made with an argument that has a name."""

    def __new__(cls, size: int = 0) -> "Named":
        """Return a new object, whatever its size."""
        return super().__new__(cls)

    def __getnewargs_ex__(self) -> tuple:
        return (), {"size": 1}


def with_state() -> Plain:
    """Return an object whose pickle sets an attribute."""
    found = Plain()
    found.size = 1
    return found


# A file for each instruction, and what that one does.
STRANGERS = {
    "NEWOBJ": (pickle.dumps(Plain(), 2), "makes an object of a class"),
    "NEWOBJ_EX": (pickle.dumps(Named(), 4), "makes an object of a class, with named arguments"),
    "BUILD": (pickle.dumps(with_state(), 2), "calls __setstate__ or sets any attribute"),
    "OBJ": (b"(cos\nsystem\n(S'x'\no.", "calls a class as well"),
    "INST": (b"(S'x'\nios\nsystem\n.", "names a class and calls it in one go"),
    "EXT1": (b"\x80\x02\x82\x01.", "imports what is registered under a number"),
    "EXT2": (b"\x80\x02\x83\x01\x01.", "imports what is registered under a number"),
    "EXT4": (b"\x80\x02\x84\x01\x01\x01\x00.", "imports what is registered under a number"),
    "PERSID": (b"Pname\n.", "calls the unpickler's persistent_load"),
    "BINPERSID": (b"U\x01aQ.", "calls the unpickler's persistent_load"),
}


# Harmless instructions that today's Python seldom writes, one after the other.
PLAIN = (
    b"(I1\nL1L\nF1\nS'a'\nVa\nU\x01aT\x01\0\0\0a20]\x97\x98"
    b"\x8b\x01\0\0\0a\x8d\x01\0\0\0\0\0\0\0a\x8e\x01\0\0\0\0\0\0\0a"
    b"\x96\x01\0\0\0\0\0\0\0a1."
)
CALLS = {"GLOBAL", "STACK_GLOBAL", "REDUCE", *STRANGERS}


def names_in(data: bytes) -> set[str]:
    """Return the names of all instructions in a pickle."""
    return {opcode.name for opcode, *_ in pickletools.genops(io.BytesIO(data))}


def check_opcodes(answer: Callable) -> None:
    """Grade a function that names the opcodes by which a pickle could call something."""
    Trap.loaded.clear()

    def ask(data: bytes) -> set[str]:
        found = call(answer, data)
        expect(
            isinstance(found, Set | list | tuple) and all(isinstance(each, str) for each in found),
            f"Return a set of names, such as {{'REDUCE'}}; got {found!r}.",
        )
        expect(not Trap.loaded, "Your function loads the file. By then it is too late.")
        odd = set(found) - names_in(data)
        expect(not odd, f"{sorted(odd)} do not stand in this file.")
        return {str(each) for each in found}

    for protocol in range(5):
        found = ask(pickle.dumps(Trap(), protocol))
        expect("REDUCE" in found, f"Protocol {protocol}: REDUCE calls a function; yours misses it.")
        expect(
            found & {"GLOBAL", "STACK_GLOBAL"},
            f"Protocol {protocol}: GLOBAL and STACK_GLOBAL import something; yours has neither.",
        )
        harmless = found & {"PROTO", "STOP", "MARK", "TUPLE", "EMPTY_TUPLE", "BINPUT", "MEMOIZE"}
        expect(not harmless, f"{sorted(harmless)} call nothing.")
    for name, (data, does) in STRANGERS.items():
        found = ask(data)
        expect(name in found, f"{name} {does}; yours misses it.")
        rest = names_in(data) & CALLS - found
        expect(not rest, f"In the file with {name} stand also {sorted(rest)}; name them all.")
    files = [
        pickle.dumps(Trap(), 0),
        pickle.dumps(Trap(), 4),
        *(file for file, _ in STRANGERS.values()),
    ]
    rest = CALLS - ask(b"".join(file[:-1] for file in files) + b".")
    expect(not rest, f"In a long file with all thirteen yours misses {sorted(rest)}.")
    row = ([0.1, 0.2], [1.0], -1.0, [0.2, 0.3], False)
    words = {"GLOBAL": "cos\nsystem\n(S'x'\nR."}  # text, not an instruction
    honest = [([row] * 3, range(6)), ([words, None, 7, 2**70, b"R", {1}, frozenset("i")], (4, 5))]
    for thing, protocols in honest:
        for protocol in protocols:
            found = ask(pickle.dumps(thing, protocol))
            expect(
                not found,
                f"Plain lists, tuples, numbers and texts call nothing; yours names {sorted(found)} "
                f"in a harmless file (protocol {protocol}).",
            )
    odd = sorted(ask(PLAIN))
    expect(not odd, f"{odd} only build, copy or drop plain data: numbers, texts, bytes. Read .doc.")
    right("A file without these thirteen instructions can only build plain data.")


def check_seeds_needed(half_widths: Callable, seeds_needed: Callable) -> None:
    """Grade the half-widths of paired and unpaired intervals, and the seeds that are needed."""
    for n in (40, 12):
        check_half_widths(half_widths, n)
    rng = fresh()
    for wanted in (1, 2, 8, *rng.integers(20, 60, 3).tolist()):
        differences = 10 ** rng.uniform(-1, 1) * rng.normal(3, 1, rng.integers(5, 20))
        root = np.sqrt(wanted - 0.7)  # so rounding, up or not, cannot fall on the other side
        gap = float(1.96 * differences.std(ddof=1) / root)
        needed = number("seeds_needed", call(seeds_needed, differences, gap))
        expect(not close(needed, root, 0.02), "n stands under a root: square it.")
        expect(needed % 1 == 0, "A number of seeds is a whole number: round up.")
        expect(needed != wanted - 1, "Round up: with one seed fewer the interval is too wide.")
        # A deviation takes two seeds, so who says "at least 2" is right as well.
        expect(
            needed == wanted or needed == max(wanted, 2),
            f"{len(differences)} differences with deviation {differences.std(ddof=1):.3g}: for a "
            f"half-width of {gap:.3g} it takes {wanted}; yours {needed:g}.",
        )
    right("Pairing by seed saves seeds when luck is shared, and costs nothing.")


def check_half_widths(half_widths: Callable, n: int) -> None:
    """Grade the paired and the unpaired half-width for two agents on n seeds."""
    rng = fresh()
    luck = rng.normal(0, 10, n)
    a, b = luck + rng.normal(2, 1, n), 0.3 * luck + rng.normal(0, 1, n)
    found: Any = call(half_widths, a, b)
    expect(np.shape(found) == (2,), f"Return (paired, unpaired), two numbers; got {found!r}.")
    paired, unpaired = (number("a half-width", value) for value in found)
    right_paired = 1.96 * (a - b).std(ddof=1) / np.sqrt(n)
    right_unpaired = 1.96 * np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
    expect(
        not (close(paired, right_unpaired, 0.03) and close(unpaired, right_paired, 0.03)),
        "You have swapped the two: pairing makes the interval narrower here.",
    )
    expect(
        not close(paired, right_paired * np.sqrt(n), 0.03),
        "That is the spread of one difference; the mean of n of them is known better by √n.",
    )
    expect(
        not close(paired, right_paired * np.sqrt(1 - 1 / n), 1e-3),
        "You divide by n within the deviation; the sample's deviation has n − 1, ddof=1.",
    )
    expect(
        close(paired, right_paired, 0.003),
        f"Paired, {n} seeds: 1.96 · deviation of the differences / √n, "
        f"here {right_paired:.3f}; yours {paired:.3f}.",
    )
    expect(
        close(unpaired, right_unpaired, 0.003),
        f"Unpaired, {n} seeds: the variances add: {right_unpaired:.3f}; yours {unpaired:.3f}.",
    )
