"""Where our books and another source disagree. Pure."""

from collections.abc import Iterable, Mapping

from services.common.domain.fill import Discrepancy

CHAIN = "chain"
DATA_API = "data_api"

# The Data API hides positions of up to a tenth of a share and rounds sizes (venue.md 1.2).
DATA_API_DUST_MICROS = 100_000
DATA_API_ROUNDING_MICROS = 10_000


def with_chain(ours: Mapping[str, int], balances: Mapping[str, int]) -> tuple[Discrepancy, ...]:
    """Every token whose balance is not exactly what our books say, by token id; all figures in micro-shares."""
    return tuple(
        Discrepancy(token, CHAIN, ours.get(token, 0), balances.get(token, 0))
        for token in sorted(ours.keys() | balances.keys())
        if ours.get(token, 0) != balances.get(token, 0)
    )


def with_data_api(
    ours: Mapping[str, int], reported: Mapping[str, int], unsettled: Iterable[str]
) -> tuple[Discrepancy, ...]:
    """Every token that the Data API reports otherwise than our books, beyond what it hides and rounds; `unsettled` tokens wait."""
    waiting = set(unsettled)
    return tuple(
        Discrepancy(token, DATA_API, ours.get(token, 0), reported.get(token, 0))
        for token in sorted((ours.keys() | reported.keys()) - waiting)
        if not _close(ours.get(token, 0), reported.get(token, 0))
    )


def _close(ours: int, theirs: int) -> bool:
    if abs(ours - theirs) <= DATA_API_ROUNDING_MICROS:
        return True
    return theirs == 0 and ours <= DATA_API_DUST_MICROS
