"""Claims on rooms: what a task takes at its start, and which claims are refused."""

from __future__ import annotations

from archsim.base.errors import ConfigError
from archsim.sim.program import Program

__all__ = ["check_capacities", "claims_by_task", "given_back_too_early"]


def claims_by_task(program: Program) -> dict[int, list[tuple[int, int]]]:
    """Return what each claiming task takes at its start: task -> [(room, amount), ...].

    Rooms come in ascending order, each once: several claims of a task on a room add up.
    """
    totals: dict[tuple[int, int], int] = {}
    for task, room, amount in zip(
        program.claim_task.tolist(), program.claim_room.tolist(), program.claim_amount.tolist()
    ):
        totals[task, room] = totals.get((task, room), 0) + amount
    claims: dict[int, list[tuple[int, int]]] = {}
    for (task, room), amount in sorted(totals.items()):
        claims.setdefault(task, []).append((room, amount))
    return claims


def check_capacities(program: Program, claims: dict[int, list[tuple[int, int]]]) -> None:
    """Raise :class:`ConfigError` when a task claims more of a room than the room holds."""
    for task, wanted in claims.items():
        for room, amount in wanted:
            limit = program.rooms[room]
            if amount > limit.capacity:
                stage = program.stages[program.stage[task]]
                raise ConfigError(
                    f"stage {stage} needs {amount} {limit.unit} of {limit.name} at once (task "
                    f"{task}), which holds {limit.capacity}: {amount - limit.capacity} "
                    f"{limit.unit} short",
                    remedy=f"enlarge {limit.name}, or make {stage} work on smaller pieces",
                )


def given_back_too_early(program: Program, claimer: int, room: int, last: int) -> ValueError:
    """Return the error for a claim whose ``last`` task finishes before ``claimer`` starts."""
    return ValueError(
        f"task {claimer} ({program.stages[program.stage[claimer]]}) claims room "
        f"{program.rooms[room].name} until task {last} "
        f"({program.stages[program.stage[last]]}) finishes, which it did first"
    )
