"""What the venue keeps for strangers has an end: keys, answers for a stale cache, lines of limits."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from services.venue import credentials
from services.venue.builder_keys import BuilderKeys
from services.venue.clob.throttle import MOST_RUNS, Runs
from services.venue.credentials import MOST_KEYS, Credentials
from services.venue.data.answers import Answers, Failed, Refusals
from services.venue.data.cache import UrlCache
from services.venue.faults.http import HttpFaults
from services.venue.faults.kinds import Family
from services.venue.faults.registry import Registry
from services.venue.refusals import Refusal
from tests.venue_trader import a_wallet, login_headers

NOW_S = 1_790_000_000
MIB = 1024 * 1024
AT: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "scheme": "http",
    "server": ("venue", 80),
    "query_string": b"",
    "headers": [],
}


class Lines(list[dict[str, Any]]):
    """A journal."""

    def note(self, kind: str, **fields: Any) -> None:
        self.append({"kind": kind, **fields})


def logged_in(account: Any, nonce: int) -> dict[str, str]:
    return {name.lower(): value for name, value in login_headers(account, nonce, NOW_S).items()}


def test_a_wallet_has_so_many_keys_and_hears_that_one_more_is_too_many():
    account, keys = a_wallet(), Credentials(1)
    made = [keys.create(logged_in(account, nonce), NOW_S) for nonce in range(MOST_KEYS)]
    with pytest.raises(Refusal, match=f"too many api keys: at most {MOST_KEYS} of a wallet"):
        keys.create(logged_in(account, MOST_KEYS), NOW_S)
    keys.delete(made[0])

    assert keys.create(logged_in(account, MOST_KEYS), NOW_S).address == account.address
    assert keys.create(logged_in(a_wallet(), 0), NOW_S)


def test_keys_that_read_or_build_are_so_many_as_well():
    keys, builders = Credentials(1), BuilderKeys(1, lambda: 0)
    owner = keys.create(logged_in(a_wallet(), 0), NOW_S)
    for _ in range(MOST_KEYS):
        keys.create_readonly(owner)
        builders.create(owner)

    with pytest.raises(Refusal, match="too many read-only api keys"):
        keys.create_readonly(owner)
    with pytest.raises(Refusal, match="too many builder keys"):
        builders.create(owner)


def test_all_wallets_together_have_so_many_keys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(credentials, "MOST_IN_ALL", 2)
    keys = Credentials(1)
    for _ in range(2):
        keys.create(logged_in(a_wallet(), 0), NOW_S)

    with pytest.raises(Refusal, match="too many api keys: at most 2 in all"):
        keys.create(logged_in(a_wallet(), 0), NOW_S)


class Site:
    """An application whose answers are all different, a MiB each, behind a fault that gives old ones again."""

    def __init__(self) -> None:
        self.registry = Registry(Lines().note, 1, frozenset({Family.HTTP}))
        self._faults = HttpFaults(self._answer, self.registry, lambda: 0)
        self._answered = 0

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self._answered += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d " % self._answered + b"x" * MIB})

    async def get(self, number: int) -> int:
        """Which answer this page has."""
        found: list[bytes] = []

        async def send(message: Any) -> None:
            found.append(message.get("body", b""))

        scope = {"type": "http", "method": "GET", "path": f"/{number}", "query_string": b""}
        await self._faults(scope, None, send)  # type: ignore[arg-type]
        return int(b"".join(found).split(b" ")[0])


async def test_answers_are_kept_for_a_stale_cache_while_there_is_one_and_the_oldest_go():
    site = Site()
    site.registry.add({"kind": "stale", "path": "/", "times": 0})
    first = [await site.get(number) for number in range(40)]
    again = [await site.get(39), await site.get(0)]
    site.registry.remove()
    site.registry.add({"kind": "stale", "path": "/", "times": 0})

    assert first == list(range(1, 41))
    assert again == [40, 41]
    assert await site.get(39) == 42


def test_what_strikes_the_same_one_again_and_again_is_noted_once_a_run():
    lines, now_ms = Lines(), 0
    runs = Runs(lambda: now_ms, lines.note)
    for now_ms in (0, 10_000, 20_000, 30_001):  # noqa: B007  the clock reads it
        runs.strike("limit_delay", "1.2.3.4", ms=5)
    runs.strike("limit_refuse", "1.2.3.4", ms=9)
    runs.strike("limit_delay", "1.2.3.5", ms=5)

    assert [(one["fault"], one["who"]) for one in lines] == [
        ("limit_delay", "1.2.3.4"),
        ("limit_delay", "1.2.3.4"),
        ("limit_refuse", "1.2.3.4"),
        ("limit_delay", "1.2.3.5"),
    ]
    for number in range(2 * MOST_RUNS):
        runs.strike("limit_delay", str(number))
    assert len(runs._last) == MOST_RUNS  # pyright: ignore[reportPrivateUsage]


def test_every_refusal_of_the_data_api_that_was_asked_for_leaves_a_line():
    lines = Lines()
    answers = Answers(UrlCache(lambda: 0, lines.note), lines.note)
    answers.refusals = Refusals("internal", "/v2/", 2)
    for path in ("/v2/activity", "/v2/trades"):
        with pytest.raises(Failed, match="internal error"):
            answers._refuse(path)  # pyright: ignore[reportPrivateUsage]
        answers._refuse("/trades")  # pyright: ignore[reportPrivateUsage]
    answers._refuse("/v2/trades")  # pyright: ignore[reportPrivateUsage]

    assert [(one["kind"], one["fault"], one["path"], one["code"]) for one in lines] == [
        ("fault", "data_refuse", "/v2/activity", "internal"),
        ("fault", "data_refuse", "/v2/trades", "internal"),
    ]


def test_an_answer_that_is_kept_again_counts_once_towards_what_a_cache_may_hold():
    cache = UrlCache(lambda: 0, Lines().note)
    cache.keep_ms = 1_000
    other, again = (Request(dict(AT, path=path)) for path in ("/other", "/again"))
    cache.put(other, Response(b"other"))
    for size in (1, 12, 20, 12, 20):
        cache.put(again, Response(b"x" * (size * MIB)))

    assert cache.get(other) is not None
    cache.put(Request(dict(AT, path="/more")), Response(b"x" * (12 * MIB)))
    assert cache.get(other) is None
