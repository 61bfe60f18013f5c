"""Drive every stream of a block, stall it, watch its protocol, check its beats: in any simulator.

One loop drives a block, cycle by cycle: inputs are set while the clock is low, everything is read
once it has settled, then the clock rises.
"""

from __future__ import annotations

import random
from typing import Any, Protocol

__all__ = ["Block", "Clock"]

#: Percent of the cycles in which nothing is offered, and nothing is taken; changed now and then.
PROFILES = ((0, 0), (50, 0), (0, 50), (40, 40), (95, 0), (0, 95), (10, 80))
PROFILE_CYCLES = 150
RESET_AFTER_CYCLES = 120  #: the first reset in mid-stream
LOAD_CYCLES = 8  #: after a table's last beat, until it is surely in
SETTLE_CYCLES = 64  #: cycles without a beat that end a test


class Source:
    """Offers payloads in order and keeps each until it is taken."""

    def __init__(self, dut: Any, name: str, payloads: list[int], answers: bool):
        self.name, self.payloads, self.answers = name, payloads, answers
        self.valid = getattr(dut, f"{name}__valid")
        self.ready = getattr(dut, f"{name}__ready", None)
        self.payload = getattr(dut, f"{name}__payload", None)
        self.restart()

    def restart(self) -> None:
        """Begin again; after a reset."""
        self.taken, self.offers = 0, False
        self.valid.value = 0
        if self.answers:
            self.payloads = []

    def drive(self, willing: bool) -> None:
        """Decide what to offer in this cycle."""
        if self.offers:
            return
        self.offers = willing and self.taken < len(self.payloads)
        self.valid.value = int(self.offers)
        if self.offers and self.payload is not None:
            self.payload.value = self.payloads[self.taken]

    def observe(self) -> bool:
        """Note whether a beat was taken."""
        moved = self.offers and (self.ready is None or bool(self.ready.value))
        if moved:
            self.taken += 1
            self.offers = False
        return moved

    def done(self) -> bool:
        """Return whether all was taken."""
        return self.taken == len(self.payloads)


class Sink:
    """Takes payloads, compares each with what must come, and watches the contract."""

    def __init__(self, dut: Any, name: str, payloads: list[int], known: list[int], skips: bool):
        self.name, self.payloads, self.known, self.skips = name, payloads, known, skips
        self.valid = getattr(dut, f"{name}__valid")
        self.ready = getattr(dut, f"{name}__ready", None)
        self.payload = getattr(dut, f"{name}__payload", None)
        self.restart()

    def restart(self) -> None:
        """Begin again; after a reset."""
        self.taken, self.skipped, self.takes = 0, 0, False
        self.held: int | None = None
        self.latest, self.moved = 0, False
        if self.ready is not None:
            self.ready.value = 0

    def drive(self, willing: bool) -> None:
        """Decide whether to take in this cycle."""
        if self.ready is not None and willing != self.takes:
            self.ready.value = int(willing)
        self.takes = willing or self.ready is None

    def observe(self) -> bool:
        """Check what is offered, and note whether it was taken."""
        offered = bool(self.valid.value)
        self.moved = offered and self.takes
        if self.held is not None:
            assert offered, f"{self.name} withdrew beat {self.taken}"
        if not offered:
            return False
        value = int(self.payload.value) if self.payload is not None else 0
        assert self.held in (None, value), f"{self.name} changed beat {self.taken} while stalled"
        self.held = None if self.takes else value
        if self.takes:
            self.latest = value
            self.compare(value)
            self.taken += 1
        return self.takes

    def compare(self, value: int) -> None:
        """Hold a beat to the model's next one, or to a later one where beats may be left out."""
        while True:
            at = self.taken + self.skipped
            assert at < len(self.payloads), f"{self.name} gave a surplus beat {value:#x}"
            if not (value ^ self.payloads[at]) & self.known[at]:
                return
            wanted = self.payloads[at]
            assert self.skips, f"{self.name}: beat {self.taken} is {value:#x}, not {wanted:#x}"
            self.skipped += 1

    def done(self) -> bool:
        """Return whether all has come."""
        return self.skips or self.taken == len(self.payloads)


class Clock(Protocol):
    """The simulator's side: the block's reset, and the two halves of a cycle."""

    def reset(self, level: int) -> None:
        """Set the reset."""

    async def fall(self) -> None:
        """Let the clock fall."""

    async def settle(self) -> None:
        """Wait until what was set has gone through the logic."""

    async def rise(self) -> None:
        """Let the clock rise."""


class Block:
    """A block and its streams; ``dut`` has a handle with a ``value`` for each port."""

    def __init__(self, dut: Any, clock: Clock, job: dict[str, Any]):
        self.clock, self.job, self.cycles = clock, job, 0
        prefix = job["prefix"]
        answers = {memory["response"] for memory in job["memories"]}
        self.sources = [Source(dut, prefix + n, p, n in answers) for n, p in job["inputs"].items()]
        self.first = [s for s in self.sources if s.name[len(prefix) :] in job["first"]]
        self.sinks = [
            Sink(dut, prefix + n, p, job["compared"][n], n in job["may_skip"])
            for n, p in job["outputs"].items()
        ]
        self.streams: list[Source | Sink] = [*self.sources, *self.sinks]
        self.random = random.Random(job["seed"])
        for name, value in job["ports"].items():
            getattr(dut, prefix + name).value = value

    async def reset(self) -> None:
        """Reset the block; its streams begin again."""
        for stream in self.streams:
            stream.restart()
        self.clock.reset(1)
        for _ in range(3):
            await self.clock.fall()
            await self.clock.settle()
            await self.clock.rise()
        self.clock.reset(0)

    async def verify(self) -> None:
        """Reset it, again in mid-stream, once or twice, then run to its end.

        Raises ``AssertionError`` for a wrong beat, a broken contract or a hang.
        """
        await self.reset()
        await self.run(RESET_AFTER_CYCLES, until_done=False)
        await self.reset()
        if self.job["late_reset"] is not None:
            name, beats = self.job["late_reset"]
            late = next(s for s in self.streams if s.name == self.job["prefix"] + name)
            await self.run(self.job["limit"], until_done=False, until=(late, beats))
            assert late.taken >= beats, f"{name} never moved the {beats} beats before a late reset"
            await self.reset()
        await self.run(self.job["limit"], until_done=True)

    async def run(
        self, limit: int, *, until_done: bool, until: tuple[Source | Sink, int] | None = None
    ) -> None:
        """Drive the streams until all is done and quiet, or for ``limit`` cycles.

        Ends before when the stream of ``until`` has moved so many beats.
        """
        quiet = loaded = 0
        for cycle in range(limit):
            if cycle % PROFILE_CYCLES == 0:
                no_offer, no_take = self.random.choice(PROFILES)
            await self.clock.fall()
            loading = not all(source.done() for source in self.first)
            loaded = 0 if loading else loaded + 1
            for source in self.sources:
                ready = loaded > LOAD_CYCLES or source in self.first or not self.first
                source.drive(ready and self.random.random() * 100 >= no_offer)
            for sink in self.sinks:
                sink.drive(self.random.random() * 100 >= no_take)
            await self.clock.settle()
            moved = [stream.observe() for stream in self.streams]
            for memory in self.job["memories"]:
                self.answer(memory)
            await self.clock.rise()
            self.cycles += 1
            if until is not None and until[0].taken >= until[1]:
                return
            quiet = 0 if any(moved) else quiet + 1
            if until_done and self.done():
                no_offer = no_take = 0
                if quiet > SETTLE_CYCLES:
                    return
        waiting = [f"{s.name} moved {s.taken} of {len(s.payloads)}" for s in self.streams]
        assert not until_done, f"not done after {limit} cycles: {', '.join(waiting)}"

    def answer(self, memory: dict[str, Any]) -> None:
        """Queue the beats of a request that was just taken."""
        prefix = self.job["prefix"]
        request = next(s for s in self.sinks if s.name == prefix + memory["request"])
        response = next(s for s in self.sources if s.name == prefix + memory["response"])
        if request.moved:
            fields = {name: request.latest >> at & (1 << width) - 1
                      for name, (at, width) in memory["fields"].items()}  # fmt: skip
            start = fields["address"]
            asked = range(start, start + fields["count"])
            response.payloads += [memory["beats"].get(at, 0) for at in asked]

    def done(self) -> bool:
        """Return whether every stream is done."""
        return all(stream.done() for stream in self.streams)
