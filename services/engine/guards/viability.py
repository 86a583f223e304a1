"""Guards of the market: that it can be traded, and that what we see of it is true."""

from services.common.domain.market import Book, Market, TokenProtocol
from services.common.domain.money import BPS, mul_div, text
from services.common.domain.verdict import Verdict
from services.engine.case import Case, age_ms
from services.engine.guards.answer import missing, unless

SUPPORTED = frozenset({TokenProtocol.CTF, TokenProtocol.POSITIONS})
"""The token protocols that orders can be built for."""


def viability(case: Case) -> Verdict:
    """The market is open, of a protocol that we know, and has a book to trade against; an entry also needs time and a narrow spread."""
    market, book = case.market, case.book
    if market is None:
        return missing("market")
    state = _state(market, case.trade.token_id)
    if not state.ok:
        return state
    if book is None or not book.facing(case.side):
        return missing("book")
    return _entry(case, market, book) if case.is_entry else state


def _state(market: Market, token_id: str) -> Verdict:
    reasons = {
        "unknown_token": market.token(token_id) is None,
        "unknown_protocol": market.protocol not in SUPPORTED,
        "closed": market.closed or market.archived,
        "resolving": market.uma_status != "",
        "not_active": not market.active,
        "not_accepting_orders": not (market.accepting_orders and market.has_book),
    }
    limit = {
        "token": "known",
        "state": "open",
        "resolution": "none",
        "protocol": " or ".join(sorted(SUPPORTED)),
        "accepting": "true",
    }
    observed = {"token": "unknown" if reasons["unknown_token"] else "known", **_observed(market)}
    return unless(reasons, observed, limit)


def _observed(market: Market) -> dict[str, str]:
    state = "closed" if market.closed or market.archived else "open" if market.active else "inactive"
    resolution = market.uma_status or "none"
    accepting = str(market.accepting_orders and market.has_book).lower()
    return {"state": state, "resolution": resolution, "protocol": str(market.protocol), "accepting": accepting}


def _entry(case: Case, market: Market, book: Book) -> Verdict:
    limits, bid, ask = case.account.limits, book.best_bid_micros, book.best_ask_micros
    if market.ends_at is None:
        return missing("ends_at")
    if bid is None or ask is None:
        return missing("spread")
    left, most = age_ms(market.ends_at, case.now), limits.max_spread_ticks * market.tick_micros
    observed = {**_observed(market), "left_ms": str(left), "spread": text(ask - bid)}
    limit = {"left_ms": str(limits.min_time_to_end_ms), "spread": text(most)}
    return unless({"ends_soon": left < limits.min_time_to_end_ms, "wide_spread": ask - bid > most}, observed, limit)


def market_data(case: Case) -> Verdict:
    """The book is this token's, its feed is live without a gap, bid and ask are apart, and mid has not jumped."""
    book = case.book
    if (
        book is None
        or book.token_id != case.trade.token_id
        or not all(level.is_sound for level in (*book.bids, *book.asks))
    ):
        return missing("book")
    if book.mid_micros is not None and book.mid_then_micros is None:
        return missing("mid_then")
    bid, ask, jump = book.best_bid_micros, book.best_ask_micros, _jump(book, case.account.limits.max_mid_jump_bps)
    seen, most = jump or (None, None)
    observed = {"live": str(book.live).lower(), "bid": _price(bid), "ask": _price(ask), "jump": _price(seen)}
    reasons = {
        "feed_down": not book.live,
        "crossed": bid is not None and ask is not None and bid >= ask,
        "mid_jumped": jump is not None and jump[0] > jump[1],
    }
    limit = {"live": "true", "bid": _price(ask), "jump": _price(most)}
    return unless(reasons, observed, limit, age_ms(case.now, book.read_at))


def _jump(book: Book, most_bps: int) -> tuple[int, int] | None:
    """How far mid has moved in about five seconds, and how far it may; None where there is none now."""
    if book.mid_micros is None or book.mid_then_micros is None:
        return None
    return abs(book.mid_micros - book.mid_then_micros), mul_div(book.mid_then_micros, most_bps, BPS)


def _price(price_micros: int | None) -> str:
    return "none" if price_micros is None else text(price_micros)
