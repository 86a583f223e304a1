"""The cache and the rate limits on a real Valkey, with it away, and with it back."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from polycopy.options.v1 import access_pb2

from services.cli import valkey
from services.common import limits
from services.common.cache import RedisCache
from services.common.limits import GENERAL, LIMITS, RedisQuota
from services.common.rpc.errors import Away, RateLimited
from tests.patience import PATIENT_S

TRADING, ADMIN = access_pb2.RATE_CLASS_TRADING, access_pb2.RATE_CLASS_ADMIN
AWAY = "redis://127.0.0.1:9/0"
KEEP = timedelta(minutes=1)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limiter that is slow for a moment is away for whoever changes something; here it is only slow."""
    monkeypatch.setattr(limits, "PATIENCE_S", PATIENT_S)


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[RedisCache]:
    made = RedisCache(redis_url, uuid.uuid4().hex)
    yield made
    await made.close()


def someone() -> str:
    return uuid.uuid4().hex


async def kept(cache: RedisCache, key: str, value: bytes, keep: timedelta = KEEP) -> None:
    """Put until it is there: a cache that is slow for a moment has nothing, and says nothing."""
    async with asyncio.timeout(PATIENT_S):
        while await cache.get(key) != value:
            await cache.put(key, value, keep)


async def found(cache: RedisCache, key: str, value: bytes | None) -> None:
    """Ask until the answer is this one."""
    async with asyncio.timeout(PATIENT_S):
        while await cache.get(key) != value:  # noqa: ASYNC110  another process wrote it
            await asyncio.sleep(0.01)


async def test_what_was_put_is_found_byte_for_byte_and_nothing_else_is(cache: RedisCache):
    await kept(cache, "book:1", b"\x00{}\xff")

    assert await cache.get("book:2") is None


async def test_two_processes_share_what_has_one_prefix_and_nothing_across_prefixes(redis_url: str):
    name = uuid.uuid4().hex
    one, two, other = RedisCache(redis_url, name), RedisCache(redis_url, name), RedisCache(redis_url, name + "x")
    await kept(one, "a", b"1")
    await found(two, "a", b"1")
    assert await other.get("a") is None
    await asyncio.gather(one.close(), two.close(), other.close())


async def test_what_is_kept_is_kept_no_longer_than_asked(cache: RedisCache):
    await cache.put("a", b"1", timedelta(milliseconds=1))
    await found(cache, "a", None)


async def test_a_cache_that_is_away_has_nothing_and_never_fails():
    cache = RedisCache(AWAY, "x")

    await cache.put("a", b"1", KEEP)
    assert await cache.get("a") is None
    await cache.close()


async def test_a_cache_that_hangs_is_left_soon():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    cache = RedisCache(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", "x")
    async with asyncio.timeout(PATIENT_S):
        assert await cache.get("a") is None
        await cache.put("a", b"1", KEEP)
    await cache.close()
    server.close()


@pytest.mark.usefixtures("patient")
async def test_a_server_that_stops_and_starts_is_used_again(tmp_path: Path):
    child, url = await valkey.run(tmp_path / "one")
    cache, quota = RedisCache(url, "x"), RedisQuota(url)
    await kept(cache, "a", b"1")
    await quota.take("someone", TRADING, reads_only=False)
    await child.stop(5.0)
    assert await cache.get("a") is None
    with pytest.raises(Away):
        await quota.take("someone", TRADING, reads_only=False)

    again, _ = await valkey.run(tmp_path / "two", int(url.rpartition(":")[2].partition("/")[0]))
    await kept(cache, "a", b"2")
    assert await spend(quota, "someone", 12) == 10
    await cache.close()
    await again.stop(5.0)


async def spend(quota: RedisQuota, who: str, calls: int, rate_class: int = TRADING, *, reads_only: bool = False) -> int:
    """How many of so many calls were let through."""
    passed = 0
    for _ in range(calls):
        try:
            await quota.take(who, rate_class, reads_only=reads_only)
        except RateLimited:
            continue
        passed += 1
    return passed


@pytest.mark.usefixtures("patient")
async def test_each_class_lets_so_many_calls_through_and_says_when_to_come_back(redis_url: str):
    quota, who = RedisQuota(redis_url), someone()

    assert await spend(quota, who, 13) == 10
    assert await spend(quota, who, 7, ADMIN) == 5
    with pytest.raises(RateLimited) as refused:
        await quota.take(who, TRADING, reads_only=False)
    assert 1 <= refused.value.retry_after_s <= 60
    assert refused.value.metadata["class"] == "trading"


@pytest.mark.usefixtures("patient")
async def test_every_call_counts_in_general_and_one_person_uses_up_no_other(redis_url: str):
    few = {**LIMITS, GENERAL: RateLimitItemPerMinute(3), TRADING: RateLimitItemPerMinute(100)}
    quota, who = RedisQuota(redis_url, few), someone()

    assert await spend(quota, who, 2) + await spend(quota, who, 2, GENERAL) == 3
    assert await spend(quota, someone(), 3) == 3


@pytest.mark.usefixtures("patient")
async def test_a_refused_call_uses_nothing_up(redis_url: str):
    few = {**LIMITS, GENERAL: RateLimitItemPerMinute(5), TRADING: RateLimitItemPerMinute(2)}
    quota, who = RedisQuota(redis_url, few), someone()

    assert await spend(quota, who, 20) == 2
    # Three of five are left in general, and the refused calls have not touched them.
    assert await spend(quota, who, 9, GENERAL) == 3


@pytest.mark.usefixtures("patient")
async def test_a_call_that_the_general_limit_refuses_uses_up_nothing_of_its_class(redis_url: str):
    few = {**LIMITS, GENERAL: RateLimitItemPerMinute(1), TRADING: RateLimitItemPerMinute(2)}
    wide = {**few, GENERAL: RateLimitItemPerMinute(100)}
    who = someone()

    assert await spend(RedisQuota(redis_url, few), who, 9) == 1
    assert await spend(RedisQuota(redis_url, wide), who, 9) == 1


@pytest.mark.usefixtures("patient")
async def test_several_processes_share_one_window(redis_url: str):
    who = someone()

    passed = await asyncio.gather(*(spend(RedisQuota(redis_url), who, 8) for _ in range(4)))

    assert sum(passed) == 10


@pytest.mark.usefixtures("patient")
async def test_the_window_moves(redis_url: str):
    quick = {**LIMITS, TRADING: RateLimitItemPerSecond(1)}
    quota, who = RedisQuota(redis_url, quick), someone()
    assert await spend(quota, who, 1) == 1

    async with asyncio.timeout(PATIENT_S):
        while not await spend(quota, who, 1):  # noqa: ASYNC110  time has no event
            await asyncio.sleep(0.1)


async def test_without_its_store_reads_pass_and_what_changes_something_is_refused():
    quota = RedisQuota(AWAY)

    await quota.take(someone(), TRADING, reads_only=True)
    with pytest.raises(Away):
        await quota.take(someone(), TRADING, reads_only=False)
    with pytest.raises(Away):
        await quota.ping()


async def test_a_store_that_answers_is_well(redis_url: str):
    await RedisQuota(redis_url).ping()
