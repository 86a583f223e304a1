"""Version 2 about markets: who holds them, what they are worth and were, what is open, traded and resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from starlette.routing import Route

from services.venue.contracts import is_position_id
from services.venue.data.answers import Answers, Handler
from services.venue.data.approvals import Approvals
from services.venue.data.entries import Entry
from services.venue.data.feed import Feed
from services.venue.data.pages import page_of, read_limit
from services.venue.data.portfolio import Portfolio
from services.venue.data.positions import pnl_v2
from services.venue.data.query import Arguments, BadQuery, read_conditions, read_events, read_user
from services.venue.data.rows import MICRO, Row, outcome_index, profile_v2
from services.venue.model import Market
from services.venue.spelling import stamp

HOLDERS, HOLDERS_WITH_PNL = 1_000, 100
POINTS = 10_000
DAY_S = 86_400
MOST_TOKENS, MOST_REFERENCES = 50, 10
LONGEST_WINDOW_S = 15 * DAY_S
CONDITIONS = ("condition", "condition_id", "conditionId", "market")
EVENTS = ("event_id", "eventId")
TOKENS = ("token_id", "tokenId")
# By interval: how long it is, and its finest step.
INTERVALS: dict[str, tuple[int | None, int]] = {
    "max": (None, 600),
    "all": (None, 600),
    "1m": (30 * DAY_S, 600),
    "1w": (7 * DAY_S, 300),
    "1d": (DAY_S, 60),
    "6h": (6 * 3_600, 60),
    "1h": (3_600, 60),
}
UNSET = "69"
_STAGES = {"proposed": "proposed", "disputed": "disputed", "resolved": "proposed"}


class Analytics:
    """Everything as of the newest block; `now_ms` is where windows end."""

    def __init__(
        self,
        feed: Feed,
        portfolio: Portfolio,
        markets: Mapping[str, Market],
        approvals: Approvals,
        answers: Answers,
        now_ms: Callable[[], int],
    ) -> None:
        self._feed = feed
        self._portfolio = portfolio
        self._markets = markets
        self._approvals = approvals
        self._answers = answers
        self._now_ms = now_ms

    def routes(self) -> list[Route]:
        handlers: dict[str, tuple[Handler, int]] = {
            "/v2/holders": (self.holders, 60),
            "/v2/oi": (self.open_interest, 60),
            "/v2/open-interest": (self.open_interest, 60),
            "/v2/live-volume": (self.live_volume, 60),
            "/v2/prices-history": (self.prices_history, 60),
            "/v2/tokens": (self.tokens, 60),
            "/v2/resolutions": (self.resolutions, 30),
            "/v2/approvals": (self.approvals, 20),
        }
        return [Route(path, self._answers.two(handler, age)) for path, (handler, age) in handlers.items()]

    async def holders(self, arguments: Arguments) -> Row:
        """The largest holders of each token; a page is so many holders of every token."""
        with_pnl = arguments.flag("include_pnl", "includePnl", default=False)
        limit = read_limit(arguments, HOLDERS_WITH_PNL if with_pnl else HOLDERS)
        floor = arguments.micros("min_balance", "minBalance", default=MICRO)
        markets = self._asked(arguments, required=True)
        if with_pnl and len(markets) > 1:
            raise BadQuery("include_pnl requires exactly one condition", "include_pnl")
        await self._portfolio.refresh()
        rows = [
            (market, token, wallet, shares)
            for market in markets
            for token in market.tokens
            for wallet, shares in _largest(self._feed.ledger.holders(token), floor)
        ]
        page = page_of("holders", rows, limit, arguments)
        found: dict[str, Row] = {}
        for market, token, wallet, shares in page["data"]:
            held = found.setdefault(token, {"token_id": token, "holders": []})
            held["holders"].append(self._holder(market, token, wallet, shares, with_pnl=with_pnl))
        return page | {"data": list(found.values())}

    async def open_interest(self, arguments: Arguments) -> Row:
        """Dollars behind the sets that exist, by market or in all."""
        markets = self._asked(arguments, required=False)
        await self._feed.refresh()
        if arguments.has(*CONDITIONS):
            return {
                "data": [{"condition_id": one.condition_id, "value": self.open_micros(one) / MICRO} for one in markets]
            }
        total = sum(self.open_micros(one) for one in self._markets.values())
        return {"data": [{"condition_id": "GLOBAL", "value": total / MICRO}]}

    async def live_volume(self, arguments: Arguments) -> Row:
        """What takers have traded in an event's markets, in dollars."""
        events = read_events(arguments, *EVENTS)
        if not events:
            raise BadQuery("required query param 'event_id' not provided", "event_id")
        await self._feed.refresh()
        volumes = {
            one.condition_id: self.volume_micros(one) / MICRO
            for one in self._markets.values()
            if one.event_id in events
        }
        rows = [{"condition_id": condition, "taker_volume": volume} for condition, volume in volumes.items()]
        return {"data": {"taker_volume_total": sum(volumes.values()), "conditions": rows}}

    async def prices_history(self, arguments: Arguments) -> Row:
        """The last price of each step in which somebody took the token or its other side."""
        token = arguments.text(*TOKENS)
        if not token:
            raise BadQuery("required query param 'token_id' not provided", "token_id")
        limit, step = read_limit(arguments, POINTS), arguments.number("bucket_seconds", "bucketSeconds", default=0)
        start, end, finest = self._window(arguments)
        if step and not finest <= step <= DAY_S:
            raise BadQuery(f"bucket_seconds must be between {finest} and {DAY_S}", "bucket_seconds")
        as_of = arguments.number("as_of", "asOf", default=0)
        await self._feed.refresh()
        prices = self._prices_of(token)
        if as_of:
            points = [(at, price) for at, price in prices if at <= as_of][-1:]
        else:
            points = _stepped([(at, price) for at, price in prices if start <= at <= end], step or finest)
        rows = [{"timestamp": at, "price": price, "resolution_seconds": step or finest} for at, price in points]
        return page_of("prices", rows, limit, arguments)

    async def tokens(self, arguments: Arguments) -> Row:
        """What each token is a share of."""
        tokens = arguments.listed(*TOKENS)
        conditions = read_conditions(arguments, *CONDITIONS)
        if bool(tokens) == bool(conditions):
            raise BadQuery("provide exactly one of token_id and condition", "token_id")
        if len(tokens) > MOST_TOKENS or len(conditions) > MOST_REFERENCES:
            raise BadQuery(f"at most {MOST_TOKENS if tokens else MOST_REFERENCES} values are allowed", "token_id")
        await self._feed.refresh()
        return {
            "data": [
                self._token(market, token)
                for market in self._markets.values()
                for token in market.tokens
                if token in tokens or market.condition_id in conditions
            ]
        }

    async def resolutions(self, arguments: Arguments) -> Row:
        """How far markets are on the way to their payouts."""
        question = arguments.text("question_id", "questionId").lower()
        conditions, events = read_conditions(arguments, *CONDITIONS), read_events(arguments, *EVENTS)
        if sum((bool(question), bool(conditions), bool(events))) != 1:
            raise BadQuery("provide exactly one of question_id, condition_id and event_id", "condition_id")
        await self._feed.refresh()
        return {
            "data": [
                self._resolution(one)
                for one in self._markets.values()
                if one.condition_id in conditions
                or one.event_id in events
                or (question and self._question(one) == question)
            ]
        }

    async def approvals(self, arguments: Arguments) -> Row:
        """What a wallet has allowed the protocol's contracts to take."""
        user = read_user(arguments, required=True)
        checked = stamp(self._now_ms() // 1_000)
        contracts = await self._approvals.of(user)
        return {"data": {"address": user, "chain_id": 137, "checked_at": checked, "contracts": contracts}}

    def open_micros(self, market: Market) -> int:
        """Sets of a market that exist."""
        return max(sum(self._feed.ledger.all_holders(token).values()) for token in market.tokens)

    def volume_micros(self, market: Market) -> int:
        """What takers have traded."""
        return sum(one.usdc_micros for one in self._taken(market))

    def _asked(self, arguments: Arguments, *, required: bool) -> list[Market]:
        conditions = read_conditions(arguments, *CONDITIONS)
        if required and not conditions:
            raise BadQuery("required query param 'condition' not provided", "condition")
        return [self._markets[one] for one in sorted(conditions) if one in self._markets]

    def _holder(self, market: Market, token: str, wallet: str, shares: int, *, with_pnl: bool) -> Row:
        row = profile_v2(wallet, self._feed.name(wallet)) | {
            "token_id": token,
            "amount": shares / MICRO,
            "outcome_index": outcome_index(market, token),
        }
        if not with_pnl:
            return row
        (position,) = (one for one in self._portfolio.known(wallet) if one.holding.token_id == token)
        return row | pnl_v2(position)

    def _window(self, arguments: Arguments) -> tuple[int, int, int]:
        """Start, end and finest step of a history."""
        interval = arguments.word("interval", of=tuple(INTERVALS), default="")
        start, end = arguments.number("start", default=0), arguments.number("end", default=0)
        as_of, now_s = arguments.number("as_of", "asOf", default=0), self._now_ms() // 1_000
        if sum((bool(interval), bool(start), bool(as_of))) != 1:
            raise BadQuery("provide exactly one of interval, start and as_of", "interval")
        if end and not start:
            raise BadQuery("end requires start", "end")
        if start:
            until = end or now_s
            if not 0 <= until - start <= LONGEST_WINDOW_S:
                raise BadQuery("a window ends after its start, and is no longer than 15 days", "end")
            return start, until, 60
        length, finest = INTERVALS.get(interval, (None, 60))
        return (0 if length is None else now_s - length), now_s, finest

    def _taken(self, market: Market) -> Iterable[Entry]:
        entries = self._feed.ledger.entries.of_condition(market.condition_id)
        return (one for one in self._feed.shown(entries) if one.is_taker)

    def _prices_of(self, token: str) -> list[tuple[int, float]]:
        market = next((one for one in self._markets.values() if token in one.tokens), None)
        if market is None:
            return []
        found: list[tuple[int, float]] = []
        for entry in self._taken(market):
            if entry.fill is not None and entry.shares_micros:
                price = entry.usdc_micros / entry.shares_micros
                found.append((entry.timestamp, round(price if entry.fill.token_id == token else 1 - price, 6)))
        return found

    def _token(self, market: Market, token: str) -> Row:
        index, resolved = outcome_index(market, token), self._portfolio.resolved(market)
        return {
            "token_id": token,
            "condition_id": market.condition_id,
            "structural_condition_id": None,
            "module": _module(market, token),
            "outcome_index": index,
            "clob_index": index,
            "outcome": market.outcomes[index],
            "opposite_token_id": market.tokens[1 - index],
            "resolved": resolved,
            "final_price": self._portfolio.price_micros(market, token) / MICRO if resolved else None,
            "title": market.question,
            "market_slug": market.slug,
            "closed": market.closed,
            "neg_risk": market.neg_risk,
            "neg_risk_market_id": market.neg_risk_market_id or None,
            "question_index": None,
            "event_id": int(market.event_id),
            "event_slug": market.event_slug,
        }

    def _question(self, market: Market) -> str:
        return market.question_id or self._feed.ledger.questions.get(market.condition_id, "")

    def _resolution(self, market: Market) -> Row:
        payout = self._feed.ledger.payouts.get(market.condition_id)
        row: Row = {
            "question_id": self._question(market) or None,
            "condition_id": market.condition_id,
            "status": "resolved" if payout else _STAGES.get(str(market.uma), "posed"),
            "extended_review": False,
            "was_disputed": str(market.uma) == "disputed",
            "new_version_q": False,
            "proposed_price": UNSET,
            "reproposed_price": UNSET,
            "price": UNSET,
            "transaction_hash": "",
            "log_index": "",
            "last_update_timestamp": self._now_ms() // 1_000,
            "was_arbitrated": False,
            "resolved_block": None,
            "resolved_at": None,
        }
        if payout is None:
            return row
        return row | {
            "price": str(payout.micros[0] * 10**12),
            "transaction_hash": payout.tx_hash,
            "log_index": str(payout.log_index),
            "last_update_timestamp": payout.timestamp,
            "payouts": list(payout.micros),
            "resolution_source": "reported",
            "resolved_block": payout.block_number,
            "resolved_at": payout.timestamp,
        }


def _largest(holders: Mapping[str, int], floor_micros: int) -> list[tuple[str, int]]:
    held = [(wallet, shares) for wallet, shares in holders.items() if shares >= floor_micros]
    return sorted(held, key=lambda one: (-one[1], one[0]))


def _stepped(prices: list[tuple[int, float]], step_s: int) -> list[tuple[int, float]]:
    """The last price of each step, at the step's beginning."""
    return list({at // step_s * step_s: price for at, price in prices}.items())


def _module(market: Market, token: str) -> str:
    if not is_position_id(token):
        return "v1_ctf"
    return "neg_risk" if market.neg_risk else "binary"
