"""Markets and events as Gamma writes them: lists inside texts, numbers twice, every recorded field."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from services.venue.conditions import position
from services.venue.contracts import is_position_id
from services.venue.data.rows import Row, icon
from services.venue.gamma.catalogue import Catalogue, Event, Series, Tag, is_sport, series_of, tags_of
from services.venue.model import MICRO, BookView, Market
from services.venue.prices import Prices
from services.venue.spelling import number, stamp

SOURCE = "https://localhost/the-venue-itself"
REWARD_SIZE, REWARD_SPREAD = 50, 4.5
# One in so many markets of the first protocol has ids of the second too, as a third of the real ones do.
NAMES_BOTH = 3


class Shapes:
    """Writes rows as of now. Volumes of a day and of a year are the same: the venue has not lived longer."""

    def __init__(
        self,
        catalogue: Catalogue,
        prices: Prices,
        book: Callable[[str], BookView | None],
        question_of: Callable[[str], str],
        now_ms: Callable[[], int],
    ) -> None:
        self._catalogue = catalogue
        self._prices = prices
        self._book = book
        self._question_of = question_of
        self._now_ms = now_ms
        self._started_at = now_ms() // 1_000
        self._closed_at: dict[str, int] = {}

    def market(self, market: Market, *, with_event: bool = True, with_tags: bool = False) -> Row:
        """A market; `with_event` False where it already lies inside one."""
        event = self._catalogue.event_of(market)
        row = self._said(market, event) | self._numbers(market) | self._state(market) | {"version": market.version}
        if with_tags:
            row["tags"] = [tag_row(tag, self._started_at) for tag in tags_of(event.slug)]
        return row | ({"events": [self.event_head(event)]} if with_event else {})

    def event(self, event: Event) -> Row:
        """An event with all of its markets."""
        markets = [self.market(one, with_event=False) for one in event.markets]
        series = series_of(event.slug)
        row = self.event_head(event) | {
            "markets": markets,
            "tags": [tag_row(tag, self._started_at) for tag in tags_of(event.slug)],
            "series": [series_row(series, self._started_at)] if series else [],
        }
        return row | ({"seriesSlug": series.slug} if series else {})

    def event_head(self, event: Event) -> Row:
        """An event without its markets."""
        first, quotes = event.markets[0], [self._prices.quote(one) for one in event.markets]
        volume, start = sum(one.volume_micros for one in quotes) / MICRO, stamp(self._started_at)
        liquidity = sum(self._liquidity_micros(one) for one in event.markets) / MICRO
        row: Row = {
            "id": event.id,
            "ticker": event.slug,
            "slug": event.slug,
            "title": event.title,
            "description": event.title,
            "resolutionSource": SOURCE,
            "startDate": start,
            "creationDate": start,
            "endDate": stamp(max(one.end_at for one in event.markets)),
            "image": icon(first),
            "icon": icon(first),
            "active": event.active,
            "closed": event.closed,
            "archived": False,
            "new": False,
            "featured": False,
            "restricted": True,
            "liquidity": liquidity,
            "volume": volume,
            "openInterest": volume,
            "createdAt": start,
            "updatedAt": stamp(max(self._changed_at(one) for one in event.markets)),
            "competitive": 0.0,
            **{f"volume{span}": volume for span in ("24hr", "1wk", "1mo", "1yr")},
            "enableOrderBook": True,
            "liquidityClob": liquidity,
            "negRisk": first.neg_risk,
            "commentCount": 0,
            "cyom": False,
            "showAllOutcomes": True,
            "showMarketImages": True,
            "automaticallyResolved": event.closed,
            "enableNegRisk": first.neg_risk,
            "automaticallyActive": True,
            "negRiskAugmented": first.augmented,
            "pendingDeployment": False,
            "deploying": False,
            "version": first.version,
        }
        if first.neg_risk_market_id:
            row["negRiskMarketID"] = first.neg_risk_market_id
        if event.closed:
            row["closedTime"] = stamp(max(self._when_closed(one) for one in event.markets))
        return row

    def _said(self, market: Market, event: Event) -> Row:
        """What a market is called and how it is found."""
        start, end = stamp(self._started_at), stamp(market.end_at)
        row: Row = {
            "id": self._catalogue.id_of(market),
            "question": market.question,
            "conditionId": market.condition_id,
            "slug": market.slug,
            "resolutionSource": SOURCE,
            "endDate": end,
            "startDate": start,
            "image": icon(market),
            "icon": icon(market),
            "description": market.question,
            "outcomes": json.dumps(list(market.outcomes)),
            "active": market.active,
            "closed": market.closed,
            "marketMakerAddress": "",
            "createdAt": start,
            "updatedAt": stamp(self._changed_at(market)),
            "new": False,
            "featured": False,
            "archived": False,
            "restricted": True,
            "groupItemThreshold": str(event.markets.index(market)),
            "questionID": market.question_id or self._question_of(market.condition_id),
            "enableOrderBook": True,
            "endDateIso": end[:10],
            "startDateIso": start[:10],
            "hasReviewedDates": True,
            **_tokens(market),
            "comboStatus": "disabled",
            "negRisk": market.neg_risk,
            "negRiskOther": market.other,
            "ready": False,
            "funded": False,
            "acceptingOrdersTimestamp": start,
            "cyom": False,
            "pagerDutyNotificationEnabled": False,
            "approved": True,
            "automaticallyActive": True,
            "showGmpSeries": False,
            "showGmpOutcome": False,
            "manualActivation": False,
            "pendingDeployment": False,
            "deploying": False,
            "rfqEnabled": False,
            "holdingRewardsEnabled": False,
        }
        if len(event.markets) > 1:
            row["groupItemTitle"] = market.group_title or market.question
        if market.neg_risk_market_id:
            row |= {"negRiskMarketID": market.neg_risk_market_id, "negRiskRequestID": market.question_id}
        if is_sport(market.event_slug):
            row["sportsMarketType"] = "moneyline"
        return row

    def _numbers(self, market: Market) -> Row:
        """Prices, sizes, volumes and fees."""
        quote, liquidity = self._prices.quote(market), self._liquidity_micros(market)
        volume = quote.volume_micros / MICRO
        prices = (quote.yes_micros, MICRO - quote.yes_micros)
        return {
            "outcomePrices": json.dumps([_text(price) for price in prices]),
            "volume": _text(quote.volume_micros),
            "volumeNum": volume,
            **{f"volume{span}": volume for span in ("24hr", "1wk", "1mo", "1yr")},
            **{f"volume{span}Clob": volume for span in ("24hr", "1wk", "1mo", "1yr")},
            "volumeClob": volume,
            "liquidity": _text(liquidity),
            "liquidityNum": liquidity / MICRO,
            "liquidityClob": liquidity / MICRO,
            "orderPriceMinTickSize": market.tick_micros / MICRO,
            "orderMinSize": number(market.min_size_micros),
            "makerBaseFee": 1000,
            "takerBaseFee": 1000,
            "rewardsMinSize": REWARD_SIZE,
            "rewardsMaxSpread": REWARD_SPREAD,
            "spread": (quote.ask_micros - quote.bid_micros) / MICRO,
            "oneDayPriceChange": 0,
            "oneHourPriceChange": 0,
            "lastTradePrice": quote.last_micros / MICRO,
            "bestBid": number(quote.bid_micros),
            "bestAsk": number(quote.ask_micros),
            **_fees(market),
        }

    def _state(self, market: Market) -> Row:
        """How far its life has come. `active` stays true after the resolution, as it does on the real one."""
        row: Row = {
            "acceptingOrders": market.accepting_orders and market.hydrated,
            "umaResolutionStatus": uma_status(market),
            "umaResolutionStatuses": json.dumps(["proposed"] if str(market.uma) in ("proposed", "disputed") else []),
            "automaticallyResolved": market.closed,
            "clearBookOnStart": market.clear_on_start,
            "secondsDelay": market.delay_ms // 1_000,
        }
        if market.game_start_at:
            at = datetime.fromtimestamp(market.game_start_at, UTC)
            row |= {"gameStartTime": at.strftime("%Y-%m-%d %H:%M:%S+00"), "eventStartTime": stamp(market.game_start_at)}
        if market.closed:
            at = datetime.fromtimestamp(self._when_closed(market), UTC)
            row |= {"closedTime": at.strftime("%Y-%m-%d %H:%M:%S+00"), "umaEndDate": stamp(self._when_closed(market))}
        if market.version == "v2":
            row["resolutionStatus"] = "resolved" if market.closed else "active"
        return row

    def _when_closed(self, market: Market) -> int:
        """When this was first seen to be closed."""
        return self._closed_at.setdefault(market.condition_id, self._now_ms() // 1_000)

    def _liquidity_micros(self, market: Market) -> int:
        """Dollars that rest on both sides of the first outcome's book."""
        view = self._book(market.tokens[0])
        levels = [*view.bids, *view.asks] if view else []
        return sum(price * size // MICRO for price, size in levels)

    def _changed_at(self, market: Market) -> int:
        """When what it says of itself has changed; prices do not count."""
        return self._when_closed(market) if market.closed else self._started_at


def tag_row(tag: Tag, since_s: int) -> Row:
    return {
        "id": tag.id,
        "label": tag.label,
        "slug": tag.slug,
        "forceShow": False,
        "createdAt": stamp(since_s),
        "updatedAt": stamp(since_s),
    }


def series_row(series: Series, since_s: int) -> Row:
    return {
        "id": series.id,
        "ticker": series.slug,
        "slug": series.slug,
        "title": series.title,
        "seriesType": "single",
        "recurrence": series.recurrence,
        "active": True,
        "closed": False,
        "archived": False,
        "new": False,
        "featured": False,
        "restricted": True,
        "createdAt": stamp(since_s),
        "updatedAt": stamp(since_s),
        "commentsEnabled": False,
        "commentCount": 0,
    }


def uma_status(market: Market) -> str:
    """Where the resolution stands with the oracle: nothing, proposed, disputed or resolved."""
    return "resolved" if market.closed else str(market.uma)


def _tokens(market: Market) -> Row:
    """Ids of both protocols have fields of their own; the second's are a real list. A market that has just been made has none
    yet, and some of the first protocol name positions that nobody trades (venue.md 0.3)."""
    if is_position_id(market.tokens[0]):
        return {"clobTokenIds": "[]", "positionIds": list(market.tokens) if market.hydrated else []}
    if not market.hydrated:
        return {"clobTokenIds": "[]"}
    both = {"positionIds": _untraded(market)} if _names_both(market) else {}
    return {"clobTokenIds": json.dumps(list(market.tokens)), **both}


def _names_both(market: Market) -> bool:
    return bool(market.question_id) and not market.neg_risk and int(market.event_id) % NAMES_BOTH == 0


def _untraded(market: Market) -> list[str]:
    return [str(one) for one in position(bytes.fromhex(market.question_id[2:])).tokens]


def _fees(market: Market) -> Row:
    if not market.fee_rate:
        return {"feesEnabled": False}
    schedule = {"exponent": 1, "rate": float(market.fee_rate), "takerOnly": True, "rebateRate": 0.2}
    crypto = any(tag.slug == "crypto" for tag in tags_of(market.event_slug))
    kind = "crypto_fees_v2" if crypto else "general_fees_v2"
    return {"feesEnabled": True, "makerRebatesFeeShareBps": 10_000, "feeType": kind, "feeSchedule": schedule}


def _text(micros: int) -> str:
    return f"{number(micros)}"
