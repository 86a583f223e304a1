"""Logs of the exchange and of the token contracts, decoded exactly. Pure; a log of another shape is refused by name."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from services.common.domain.market import Side
from services.common.ports.chain import FillLog, OrderFilled, Receipt, Sighting, Transfer

# venue.md 6.1
ORDER_FILLED = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee"
TRANSFER_SINGLE = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
TRANSFER_BATCH = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"
PAYOUT_REDEMPTION = "0x2682012a4a4f1973119f1c9b90745d1bd91fa2bab387344f044cb3586864d18d"

WORD = 64
SIDES = {0: Side.BUY, 1: Side.SELL}

Log = Mapping[str, Any]


class UnknownLog(ValueError):
    """A log that does not have the shape of the event that its topic names."""


def order_filled(log: Log) -> OrderFilled:
    """One `OrderFilled` of exchange V2 or V3. Raises `UnknownLog`."""
    topics = _topics(log)
    words = _words(log)
    if len(topics) != 4 or topics[0] != ORDER_FILLED or len(words) < 5 or words[0] not in SIDES:
        raise UnknownLog(f"no OrderFilled of a known shape: {topics[:1]}, {len(words)} words")
    side, token_id, maker_amount, taker_amount, fee = words[:5]
    return OrderFilled(
        order_hash=topics[1],
        maker=_address(topics[2]),
        taker=_address(topics[3]),
        exchange=str(log["address"]).lower(),
        side=SIDES[side],
        token_id=str(token_id),
        maker_amount=maker_amount,
        taker_amount=taker_amount,
        fee=fee,
        log_index=number(log["logIndex"]),
    )


def block_time(logs: Sequence[Log]) -> datetime | None:
    """When the block of these logs was made, where the node says so with each log."""
    stamp = logs[0].get("blockTimestamp") if logs else None
    return None if stamp is None else instant(number(stamp))


def fill_log(log: Log) -> FillLog:
    """An `OrderFilled` with its place; the block's time where the node gives it."""
    return FillLog(
        fill=order_filled(log),
        tx_hash=str(log["transactionHash"]).lower(),
        block_number=number(log["blockNumber"]),
        block_hash=str(log["blockHash"]).lower(),
        block_at=block_time([log]),
        removed=bool(log.get("removed", False)),
    )


def sighting(log: Log) -> Sighting:
    """The wallet that gave something away: the maker of an `OrderFilled`, or the sender of a transfer. Raises `UnknownLog`."""
    topics = _topics(log)
    if len(topics) != 4 or topics[0] not in {ORDER_FILLED, TRANSFER_SINGLE, TRANSFER_BATCH}:
        raise UnknownLog(f"neither a fill nor a transfer: {topics[:1]}")
    return Sighting(
        wallet=_address(topics[2]),
        tx_hash=str(log["transactionHash"]).lower(),
        block_number=number(log["blockNumber"]),
        block_at=block_time([log]),
        removed=bool(log.get("removed", False)),
    )


def redeemed(log: Log) -> str:
    """The condition of a `PayoutRedemption` of the CTF. Raises `UnknownLog`."""
    data = str(log["data"]).removeprefix("0x")
    if len(data) < WORD:
        raise UnknownLog("PayoutRedemption without its condition")
    return "0x" + data[:WORD].lower()


def transfers(log: Log) -> tuple[Transfer, ...]:
    """The token movements of a `TransferSingle` or `TransferBatch`, one for each token. Raises `UnknownLog`."""
    topics = _topics(log)
    if len(topics) != 4 or topics[0] not in {TRANSFER_SINGLE, TRANSFER_BATCH}:
        raise UnknownLog(f"no transfer: {topics[:1]}")
    return tuple(
        Transfer(
            sender=_address(topics[2]),
            receiver=_address(topics[3]),
            token_id=str(token_id),
            shares_micros=amount,
            tx_hash=str(log["transactionHash"]).lower(),
            block_number=number(log["blockNumber"]),
            log_index=number(log["logIndex"]),
        )
        for token_id, amount in _movements(topics[0], _words(log))
    )


def receipt(raw: Mapping[str, Any], block_at: datetime, exchanges: Sequence[str], tokens: Sequence[str]) -> Receipt:
    """A mined transaction; only logs of `exchanges` and `tokens` (lower-case addresses) count, whatever topics others carry."""
    logs: list[Log] = raw["logs"]
    return Receipt(
        tx_hash=str(raw["transactionHash"]).lower(),
        block_number=number(raw["blockNumber"]),
        block_hash=str(raw["blockHash"]).lower(),
        block_at=block_at,
        ok=number(raw["status"]) == 1,
        fills=tuple(order_filled(log) for log in logs if _is(log, exchanges, ORDER_FILLED)),
        transfers=tuple(
            moved for log in logs if _is(log, tokens, TRANSFER_SINGLE, TRANSFER_BATCH) for moved in transfers(log)
        ),
        redeemed=frozenset(redeemed(log) for log in logs if _is(log, tokens, PAYOUT_REDEMPTION)),
    )


def number(value: Any) -> int:
    """A JSON-RPC quantity."""
    return int(str(value), 16)


def instant(seconds: int) -> datetime:
    """A block's time."""
    return datetime.fromtimestamp(seconds, UTC)


def topic(address: str) -> str:
    """An address as an indexed topic."""
    return "0x" + address.lower().removeprefix("0x").rjust(WORD, "0")


def leaving(wallets: Sequence[str]) -> list[Any]:
    """The topics of logs by which something leaves these wallets; the maker of a fill and the sender of a transfer stand in one place."""
    return [[ORDER_FILLED, TRANSFER_SINGLE, TRANSFER_BATCH], None, [topic(wallet) for wallet in wallets]]


def _is(log: Log, contracts: Sequence[str], *events: str) -> bool:
    topics = _topics(log)
    return bool(topics) and topics[0] in events and str(log["address"]).lower() in contracts


def _topics(log: Log) -> list[str]:
    return [str(value).lower() for value in log["topics"]]


def _words(log: Log) -> list[int]:
    data = str(log["data"]).removeprefix("0x")
    if len(data) % WORD:
        raise UnknownLog("data is not whole words")
    return [int(data[at : at + WORD], 16) for at in range(0, len(data), WORD)]


def _address(value: str) -> str:
    return "0x" + value[-40:]


def _movements(event: str, words: list[int]) -> list[tuple[int, int]]:
    if event == TRANSFER_SINGLE:
        if len(words) != 2:
            raise UnknownLog("TransferSingle without id and value")
        return [(words[0], words[1])]
    ids, values = (_array(words, words[place] // 32) for place in (0, 1))
    if len(ids) != len(values):
        raise UnknownLog("TransferBatch with ids and values of different length")
    return list(zip(ids, values, strict=True))


def _array(words: list[int], start: int) -> list[int]:
    if start >= len(words) or start + 1 + words[start] > len(words):
        raise UnknownLog("TransferBatch is cut short")
    return words[start + 1 : start + 1 + words[start]]
