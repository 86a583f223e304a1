"""Markets as Gamma describes them and the CLOB confirms them (venue.md 2, 3.2), made into one `Market`."""

from dataclasses import dataclass
from datetime import datetime

from services.common.domain.market import Fee, Market, Token, TokenProtocol
from services.common.domain.money import MICRO
from services.common.polymarket.parse.payload import Fields, UnknownPayload, decode

GAMMA = "gamma_market"
CLOB_MARKET = "clob_market"
RESOLVED = "resolved"
HIGHEST_EXPONENT = 4
POSITION_GAP = ((1 << 64) - 1) << 40


@dataclass(frozen=True, slots=True)
class GammaMarket:
    """Gamma's half: identity, state, end. `version` is empty where Gamma gives none; `fee` None where it says nothing of fees.

    `prices` are the outcomes' last prices in millionths once the market is closed: what they pay if it is resolved.
    """

    condition_id: str
    event_id: str
    event_slug: str
    slug: str
    title: str
    icon: str
    outcomes: tuple[str, ...]
    clob_token_ids: tuple[str, ...]
    position_ids: tuple[str, ...]
    version: str
    tick_micros: int
    min_size_micros: int
    fee: Fee | None
    neg_risk: bool
    active: bool
    closed: bool
    archived: bool
    accepting_orders: bool
    has_book: bool
    uma_status: str
    ends_at: datetime | None
    prices: tuple[int, ...] = ()
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ClobMarket:
    """The CLOB's half: what orders must obey right now. `fee` None: free of fees."""

    condition_id: str
    tokens: tuple[Token, ...]
    tick_micros: int
    min_size_micros: int
    accepting_orders: bool
    neg_risk: bool
    fee: Fee | None
    version: str


def read_gamma_markets(payload: object) -> tuple[GammaMarket, ...]:
    """A page of `/markets/keyset`."""
    page = Fields(GAMMA, payload)
    return tuple(read_gamma_market(market) for market in page.objects("markets"))


def read_gamma_event(payload: object) -> tuple[GammaMarket, ...]:
    """The markets of an event of `/events`."""
    event = Fields(GAMMA, payload)
    return tuple(read_gamma_market(market, event) for market in event.objects("markets"))


def read_gamma_market(market: Fields, event: Fields | None = None) -> GammaMarket:
    """One market; `event` where it lies inside one, otherwise its own `events[0]`."""
    parent = event or next(market.objects("events", default=True), None)
    return GammaMarket(
        condition_id=market.condition("conditionId"),
        event_id=_identity(parent) if parent else "",
        event_slug=parent.text("slug", "") if parent else "",
        slug=market.text("slug", ""),
        title=market.text("question", ""),
        icon=market.text("icon", ""),
        outcomes=_listed(market, "outcomes"),
        clob_token_ids=_listed(market, "clobTokenIds"),
        position_ids=market.texts("positionIds", default=True),
        version=market.text("version", ""),
        tick_micros=market.micros("orderPriceMinTickSize"),
        min_size_micros=market.micros("orderMinSize"),
        fee=read_fee(market),
        neg_risk=market.flag("negRisk", False),
        active=market.flag("active"),
        closed=market.flag("closed"),
        archived=market.flag("archived", False),
        accepting_orders=market.flag("acceptingOrders", False),
        has_book=market.flag("enableOrderBook", False),
        uma_status=market.text("umaResolutionStatus", ""),
        ends_at=market.iso("endDate"),
        prices=_prices(market),
        tags=_tags(market, parent),
    )


def read_clob_market(payload: object) -> ClobMarket:
    """An answer of `/clob-markets/{condition}`."""
    market = Fields(CLOB_MARKET, payload)
    return ClobMarket(
        condition_id=market.text("c").lower(),
        tokens=tuple(Token(token.text("t"), token.text("o")) for token in market.objects("t")),
        tick_micros=market.micros("mts"),
        min_size_micros=market.micros("mos"),
        accepting_orders=market.flag("ao", False),
        neg_risk=market.flag("nr", False),
        fee=_clob_fee(market),
        version=market.text("v", ""),
    )


def build_market(gamma: GammaMarket, clob: ClobMarket | None, now: datetime) -> Market:
    """Both halves as one; raises `UnknownPayload` where they contradict each other. Without the CLOB's half nothing can be traded."""
    protocol = _protocol(gamma.version, clob.version if clob else "")
    tokens = _tokens(gamma, protocol)
    if clob is not None:
        _agree(gamma, clob, tokens)
    fee = (clob.fee if clob and clob.fee else gamma.fee) or Fee(0)
    return Market(
        condition_id=gamma.condition_id,
        event_id=gamma.event_id,
        slug=gamma.slug,
        title=gamma.title,
        tokens=tokens,
        tick_micros=clob.tick_micros if clob else gamma.tick_micros,
        min_size_micros=clob.min_size_micros if clob else gamma.min_size_micros,
        fee=fee,
        protocol=protocol,
        neg_risk=gamma.neg_risk or (clob is not None and clob.neg_risk),
        active=gamma.active,
        closed=gamma.closed,
        archived=gamma.archived,
        accepting_orders=gamma.accepting_orders and clob is not None and clob.accepting_orders,
        has_book=gamma.has_book and clob is not None,
        uma_status=gamma.uma_status,
        ends_at=gamma.ends_at,
        read_at=now,
        event_slug=gamma.event_slug,
        icon=gamma.icon,
        tags=gamma.tags,
        payouts=_payouts(gamma),
    )


def is_position_id(token_id: str) -> bool:
    """Whether a token id is a position id of protocol version 2: the 64 bits above bit 40 are zero (venue.md 12)."""
    return not int(token_id) & POSITION_GAP


def _protocol(gamma: str, clob: str) -> TokenProtocol:
    named = {version for version in (gamma, clob) if version}
    known = {TokenProtocol.CTF.value, TokenProtocol.POSITIONS.value}
    return TokenProtocol(named.pop()) if len(named) == 1 and named <= known else TokenProtocol.UNKNOWN


def _tokens(gamma: GammaMarket, protocol: TokenProtocol) -> tuple[Token, Token]:
    ids = gamma.position_ids if protocol is TokenProtocol.POSITIONS else gamma.clob_token_ids
    if len(ids) != 2 or len(gamma.outcomes) != 2:
        raise UnknownPayload(GAMMA, "not a binary market with two token ids", {"outcomes": len(ids)})
    return Token(ids[0], gamma.outcomes[0]), Token(ids[1], gamma.outcomes[1])


def _agree(gamma: GammaMarket, clob: ClobMarket, tokens: tuple[Token, Token]) -> None:
    if clob.condition_id != gamma.condition_id:
        raise UnknownPayload(CLOB_MARKET, "another condition than asked for", clob.condition_id)
    if {token.token_id for token in clob.tokens} != {token.token_id for token in tokens}:
        raise UnknownPayload(CLOB_MARKET, "other tokens than Gamma's", [token.token_id for token in clob.tokens])
    if gamma.neg_risk and not clob.neg_risk:
        raise UnknownPayload(CLOB_MARKET, "Gamma says neg-risk, the CLOB does not", clob.condition_id)


def read_fee(market: Fields) -> Fee | None:
    """What Gamma says of a market's fee; None where it says nothing."""
    schedule = market.value.get("feeSchedule")
    if schedule is None or market.value.get("feesEnabled") is False:
        return None
    fee = Fields(GAMMA, schedule)
    return _fee(fee, "rate", "exponent")


def _clob_fee(market: Fields) -> Fee | None:
    details = market.value.get("fd")
    if details is None:
        return None
    fee = Fields(CLOB_MARKET, details)
    return _fee(fee, "r", "e")


def _fee(schedule: Fields, rate: str, exponent: str) -> Fee:
    power = schedule.integer(exponent, 1)
    if not 0 <= power <= HIGHEST_EXPONENT:
        schedule.fail(f"{exponent}: not 0 to {HIGHEST_EXPONENT}")
    return Fee(schedule.micros(rate), power)


def _payouts(gamma: GammaMarket) -> tuple[int, int] | None:
    """What the outcomes pay. Prices of a market that is not resolved are only prices, and those that do not share a dollar no payout."""
    if not (gamma.closed and gamma.uma_status == RESOLVED and len(gamma.prices) == 2 and sum(gamma.prices) == MICRO):
        return None
    return gamma.prices[0], gamma.prices[1]


def _prices(market: Fields) -> tuple[int, ...]:
    # Of a market that is open they are of no use to us, and markets as young as a second have none.
    listed = _listed(market, "outcomePrices") if market.flag("closed") else ()
    return tuple(Fields(GAMMA, {"outcomePrices": price}).micros_nearest("outcomePrices") for price in listed)


def _tags(market: Fields, event: Fields | None) -> tuple[str, ...] | None:
    """The slugs of a market's and its event's subjects; None where neither names any."""
    named = [fields for fields in (market, event) if fields is not None and "tags" in fields]
    return (
        tuple(sorted({tag.text("slug").lower() for fields in named for tag in fields.objects("tags")}))
        if named
        else None
    )


def _listed(market: Fields, name: str) -> tuple[str, ...]:
    """A list of texts inside a text (Gamma's way); an absent one is empty."""
    raw = market.text(name, "")
    return Fields(GAMMA, {name: decode(GAMMA, raw)}).texts(name) if raw else ()


def _identity(event: Fields) -> str:
    value = event.value.get("id")
    return value if isinstance(value, str) else str(event.integer("id"))
