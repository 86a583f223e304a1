"""What health asks of the gate: conditions that hold all new work although everything answers."""

from collections.abc import Awaitable, Callable

from services.common.domain.verdict import Verdict
from services.common.health import Unsound

UNKNOWN = "unknown"


def sound(judge: Callable[[], Awaitable[Verdict]]) -> Callable[[], Awaitable[None]]:
    """A need of health: raises `Unsound` with the gate's reason while the condition fails on what is known.

    What is not known is told by the need of whoever does not answer.
    """

    async def hold() -> None:
        verdict = await judge()
        if not verdict.ok and UNKNOWN not in verdict.observed.values():
            seen = ", ".join(
                f"{name} {value} (at most {verdict.limit[name]})" for name, value in verdict.observed.items()
            )
            raise Unsound(f"{verdict.guard}: {seen}")

    return hold
