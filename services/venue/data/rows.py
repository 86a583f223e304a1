"""Fills as the Data API and RTDS show them, field by field in the recorded order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.venue.data.entries import Entry
from services.venue.model import Fill, Market
from services.venue.spelling import number

MICRO = 1_000_000
PRICE_PLACES = 10
NO_OUTCOME = 999
ICON = "https://polymarket-upload.s3.us-east-2.amazonaws.com/{slug}.png"

Row = dict[str, Any]

_NOWHERE: Row = {"title": "", "slug": "", "icon": "", "eventSlug": "", "outcome": ""}


def paid_micros(fill: Fill) -> int:
    """What `usdcSize` says: a BUY includes its fee (venue.md 1.4)."""
    return fill.usdc_micros + (fill.fee_micros if str(fill.side) == "BUY" else 0)


def price(fill: Fill) -> float:
    """Money over shares, which can be off the grid in the last digits."""
    return round(float(Decimal(fill.usdc_micros) / fill.size_micros), PRICE_PLACES)


def outcome_index(market: Market, token_id: str) -> int:
    return market.tokens.index(token_id)


def labelled_index(market: Market, token_id: str) -> int:
    """The same in rows of trades; 999 while the market has no labels yet (venue.md 1.4)."""
    return outcome_index(market, token_id) if market.labelled else NO_OUTCOME


def icon(market: Market) -> str:
    return ICON.format(slug=market.event_slug)


def activity_v1(fill: Fill, market: Market, name: str) -> Row:
    """A TRADE row of `/activity`."""
    index = labelled_index(market, fill.token_id)
    return {
        "proxyWallet": fill.wallet.lower(),
        "timestamp": fill.block_timestamp,
        "conditionId": fill.condition_id,
        "type": "TRADE",
        "size": number(fill.size_micros),
        "usdcSize": number(paid_micros(fill)),
        "transactionHash": fill.tx_hash,
        "price": price(fill),
        "asset": fill.token_id,
        "side": str(fill.side),
        "outcomeIndex": index,
        **_labels(market, index, name),
    }


def trade_v1(fill: Fill, market: Market, name: str) -> Row:
    """A row of `/trades`."""
    index = labelled_index(market, fill.token_id)
    labels = _labels(market, index, name)
    return {
        "proxyWallet": fill.wallet.lower(),
        "side": str(fill.side),
        "asset": fill.token_id,
        "conditionId": fill.condition_id,
        "size": number(fill.size_micros),
        "price": price(fill),
        "timestamp": fill.block_timestamp,
        **{key: labels.pop(key) for key in ("title", "slug", "icon", "eventSlug", "outcome")},
        "outcomeIndex": index,
        **labels,
        "transactionHash": fill.tx_hash,
    }


def conversion_v1(entry: Entry, market: Market, name: str) -> Row:
    """A SPLIT, MERGE or REDEEM row of `/activity`: of no token, side or price; a redemption is of an outcome."""
    index = entry.outcome if entry.outcome >= 0 and market.labelled else NO_OUTCOME
    return _tokenless(entry, index) | _labels(market, index, name)


def credit_v1(entry: Entry, name: str) -> Row:
    """A row of `/activity` that has nothing to do with a market: rewards, rebates, deposits, withdrawals."""
    return _tokenless(entry, NO_OUTCOME) | _NOWHERE | _profile(name)


def profile_v2(wallet: str, name: str) -> Row:
    """Who holds something."""
    return {
        "proxy_wallet": wallet,
        "bio": "",
        "token_id": "",
        "pseudonym": name.title(),
        "amount": 0.0,
        "display_username_public": True,
        "outcome_index": 0,
        "name": name,
        "profile_image": "",
        "profile_image_optimized": "",
        "verified": False,
    }


_V2_NAMES = {
    "proxyWallet": "proxy_wallet",
    "conditionId": "condition_id",
    "usdcSize": "usdc_size",
    "transactionHash": "transaction_hash",
    "asset": "token_id",
    "outcomeIndex": "outcome_index",
    "eventSlug": "event_slug",
    "profileImage": "profile_image",
    "profileImageOptimized": "profile_image_optimized",
}
_V2_FLOATS = frozenset({"size", "usdcSize", "price"})


def as_v2(row: Row) -> Row:
    """A version 1 row in version 2's spelling; fractions keep their `.0`."""
    return {_V2_NAMES.get(key, key): float(value) if key in _V2_FLOATS else value for key, value in row.items()}


def rtds_payload(fill: Fill, market: Market, name: str, wallet: str, timestamp: int) -> Row:
    """The payload of an RTDS frame; `wallet` is checksummed there, and a fee of zero is left out."""
    index = outcome_index(market, fill.token_id)
    fee = {"fee": number(fill.fee_micros)} if fill.fee_micros else {}
    return {
        "asset": fill.token_id,
        "bio": "",
        "conditionId": fill.condition_id,
        "eventSlug": market.event_slug,
        **fee,
        "icon": icon(market),
        "name": name,
        "outcome": market.outcomes[index],
        "outcomeIndex": index,
        "price": price(fill),
        "profileImage": "",
        "proxyWallet": wallet,
        "pseudonym": name.title(),
        "side": str(fill.side),
        "size": number(fill.size_micros),
        "slug": market.slug,
        "timestamp": timestamp,
        "title": market.question,
        "transactionHash": fill.tx_hash,
    }


def _labels(market: Market, index: int, name: str) -> Row:
    if not market.labelled:
        return _NOWHERE | _profile(name)
    return {
        "title": market.question,
        "slug": market.slug,
        "icon": icon(market),
        "eventSlug": market.event_slug,
        "outcome": "" if index == NO_OUTCOME else market.outcomes[index],
        **_profile(name),
    }


def _profile(name: str) -> Row:
    return {
        "name": name,
        "pseudonym": name.title(),
        "bio": "",
        "profileImage": "",
        "profileImageOptimized": "",
    }


def _tokenless(entry: Entry, index: int) -> Row:
    return {
        "proxyWallet": entry.wallet,
        "timestamp": entry.timestamp,
        "conditionId": entry.condition_id,
        "type": entry.kind,
        "size": number(entry.shares_micros),
        "usdcSize": number(entry.usdc_micros),
        "transactionHash": entry.tx_hash,
        "price": 0,
        "asset": "",
        "side": "",
        "outcomeIndex": index,
    }
