"""Why a program cannot finish, in words: who waits for whom."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.base.errors import DeadlockError
from archsim.sim.program import Edge, Program

__all__ = ["State", "deadlock"]

_LINES_SHOWN = 20


@dataclass(frozen=True)
class State:
    """Where an execution stopped; starts and finishes are -1 where they did not happen.

    ``queue`` and ``position`` are the tasks of each unit by id and, for in-order units, how many
    of them have started.
    """

    start: list[int]
    finish: list[int]
    queue: list[list[int]]
    position: list[int]
    free: list[int]
    room_left: list[int]
    claims: dict[int, list[tuple[int, int]]]


def deadlock(program: Program, state: State) -> DeadlockError:
    """Return the error that explains why the undone tasks of ``program`` cannot start.

    It follows what each task waits for, beginning at the undone task with the smallest id, until
    a task comes round again (a circular wait) or nothing holds the last one.
    """
    undone = [t for t, end in enumerate(state.finish) if end < 0]
    lines: list[str] = []
    seen: set[int] = set()
    task: int | None = undone[0]
    while task is not None and task not in seen and len(lines) < _LINES_SHOWN:
        seen.add(task)
        reason, task = _waits_for(program, state, task)
        lines.append(f"  {reason}")
    if task is not None:
        end = "which closes the circle" if task in seen else "and so on"
        lines.append(f"  {_name(program, task)}: {end}")
    return DeadlockError(
        f"the program cannot finish: {len(undone)} of {program.tasks} tasks wait for ever\n"
        + "\n".join(lines),
        remedy="enlarge the room or FIFO named above, or break the circle of dependencies",
    )


def _name(program: Program, task: int) -> str:
    stage = program.stages[program.stage[task]]
    return f"task {task} ({stage} on {program.units[program.unit[task]].name})"


def _waits_for(program: Program, state: State, task: int) -> tuple[str, int | None]:
    """Return a sentence on what an unstarted task waits for, and the task that holds it up."""
    who = _name(program, task)
    for edge in range(int(program.pred_ptr[task]), int(program.pred_ptr[task + 1])):
        before = int(program.pred[edge])
        if state.finish[before] < 0:
            kind = Edge(int(program.pred_kind[edge])).name.lower()
            return f"{who} waits for {_name(program, before)} to finish ({kind})", before
    unit = int(program.unit[task])
    if program.units[unit].in_order:
        head = state.queue[unit][state.position[unit]]
        if head != task:
            return f"{who} waits its turn behind {_name(program, head)}", head
    for index, amount in state.claims.get(task, ()):
        room = program.rooms[index]
        if amount > state.room_left[index]:
            holder = _holder(program, state, index)
            wants = (
                f"{who} waits for {amount} {room.unit} of {room.name}, "
                f"{state.room_left[index]} of {room.capacity} left"
            )
            if holder is None:
                return wants, None
            claimer, last = holder
            return (
                f"{wants}; {_name(program, claimer)} holds some until {_name(program, last)} "
                "finishes",
                last,
            )
    for other in state.queue[unit]:  # any order: the same rooms are given out first come first
        if state.start[other] < 0 and other != task and _same_rooms(state, task, other):
            return f"{who} waits its turn behind {_name(program, other)} for the same room", other
    return f"{who} waits for a server of {program.units[unit].name}", None


def _holder(program: Program, state: State, room: int) -> tuple[int, int] | None:
    """Return a task that holds room and the unfinished task at whose finish it gives it back."""
    for claimer, index, last in zip(
        program.claim_task.tolist(), program.claim_room.tolist(), program.claim_release.tolist()
    ):
        if index == room and state.start[claimer] >= 0 and state.finish[last] < 0:
            return claimer, last
    return None


def _same_rooms(state: State, task: int, other: int) -> bool:
    return [r for r, _ in state.claims.get(task, ())] == [r for r, _ in state.claims.get(other, ())]
