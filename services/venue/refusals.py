"""Why the venue refuses an order: its own texts and statuses (venue.md 3.6), and the checks that raise them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.venue.model import MICRO, Market, Order, OrderType, PostedOrder, Side

LOT_MICROS = 10_000
DOLLAR = 1_000_000
GTD_AHEAD_S = 60
NOT_ENOUGH = "not enough balance / allowance"
# Decimals of the shares that a marketable purchase asks for, by the market's tick (venue.md 3.9).
TAKER_DECIMALS = {100_000: 3, 10_000: 4, 5_000: 5, 2_500: 6, 1_000: 5, 100: 6}


class Refusal(Exception):
    """An order that is not taken; some say with a code, and after how long to come back."""

    def __init__(self, text: str, status: int = 400, *, code: str = "", retry_after_s: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s

    @property
    def body(self) -> dict[str, Any]:
        """As the venue writes it."""
        wait = {"retry_after_seconds": self.retry_after_s} if self.retry_after_s else {}
        return {"error": self.text, **({"code": self.code} if self.code else {}), **wait}

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)} if self.retry_after_s else {}


class KilledOrder(Refusal):
    """An order that was taken and has come to nothing at once."""


def restarting() -> Refusal:
    return Refusal("the matching engine is restarting", 425)


def post_only_mode(seconds: int) -> Refusal:
    text = "post-only mode: only post-only orders and cancels are allowed"
    return Refusal(text, 503, code="post_only_mode", retry_after_s=max(seconds, 1))


def cancel_only() -> Refusal:
    return Refusal("Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.", 503)


def disabled() -> Refusal:
    return Refusal("Trading is currently disabled. Check polymarket.com for updates", 503)


def banned(address: str) -> Refusal:
    return Refusal(f"'{address}' address banned")


def closed_only(address: str) -> Refusal:
    return Refusal(f"'{address}' address in closed only mode")


def not_ready() -> Refusal:
    return Refusal("the market is not yet ready to process new orders")


def busy() -> Refusal:
    """What a marketable order hears while too many matches wait for the chain."""
    return Refusal("order match delayed due to market conditions")


def duplicated(order_hash: str) -> Refusal:
    return Refusal(f"order {order_hash} is invalid. Duplicated.")


def no_book() -> Refusal:
    return Refusal("No orderbook exists for the requested token id", 404)


def crosses() -> Refusal:
    return Refusal("invalid post-only order: order crosses book")


def crosses_now(order_hash: str) -> Refusal:
    """What a post-only order hears of others that came in while it was on its way to the book."""
    return Refusal(f"order {order_hash} crosses the book")


def other_version() -> Refusal:
    """An order of another version, or signed under the domain of one."""
    return Refusal("order_version_mismatch")


def used_nonce() -> Refusal:
    """Orders of today carry no nonce; one that an older client adds has to be that of a wallet that never used any."""
    return Refusal("invalid nonce")


def ended_on_chain() -> Refusal:
    return Refusal("order canceled in the CTF exchange contract")


def elsewhere() -> Refusal:
    text = "Trading restricted in your region, please refer to available regions"
    return Refusal(f"{text} - https://docs.polymarket.com/developers/CLOB/geoblock", 403)


def not_enough(balance_micros: int, amount_micros: int) -> Refusal:
    return Refusal(
        f"{NOT_ENOUGH}: the balance is not enough -> balance: {max(balance_micros, 0)}, order amount: {amount_micros}"
    )


def not_allowed(spender: str, allowance_micros: int, amount_micros: int) -> Refusal:
    """The wallet has the money, and has not let the exchange take it."""
    return Refusal(
        f"{NOT_ENOUGH}: the allowance is not enough -> spender: {spender}, "
        f"allowance: {max(allowance_micros, 0)}, sum of matched orders: 0, order amount (inc. fees): {amount_micros}"
    )


def killed(kind: OrderType) -> KilledOrder:
    """What FAK and FOK orders hear that found nothing, or not enough."""
    if kind is OrderType.FOK:
        return KilledOrder("order couldn't be fully filled. FOK orders are fully filled or killed.")
    return KilledOrder(
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
    )


def checked_price(posted: PostedOrder, market: Market) -> int:
    """The order's limit on the market's grid. Resting orders lie on it exactly; the amounts of others may be rounded."""
    if posted.shares_micros <= 0 or posted.usdc_micros <= 0:
        raise Refusal("invalid amounts, maker and taker amount must be higher than 0")
    tick, scaled = market.tick_micros, posted.usdc_micros * MICRO
    exact, rest = divmod(scaled, posted.shares_micros)
    off = abs(exact - (exact + tick // 2) // tick * tick)
    low, high = exact // tick * tick, -(-scaled // (posted.shares_micros * tick)) * tick
    limit = low if posted.side is Side.BUY else high
    off_grid = (off or rest) if posted.order_type.rests else off > tick // 10
    if off_grid or not tick <= limit <= MICRO - tick:
        raise Refusal(
            f"order {posted.order_hash} is invalid. Price ({exact / MICRO:g}) breaks minimum tick size rule: {tick / MICRO:g}"
        )
    return limit


def check(posted: PostedOrder, market: Market, order: Order, *, now_s: int) -> None:
    """Raise what an order of this market has to hear, balances apart."""
    if not market.has_book or not market.active or not market.accepting_orders:
        raise not_ready()
    if posted.post_only and not posted.order_type.rests:
        raise Refusal("Invalid order payload")
    if posted.shares_micros < market.min_size_micros:
        raise Refusal(
            f"order {posted.order_hash} is invalid. Size ({posted.shares_micros / MICRO:g}) lower than the minimum: "
            f"{market.min_size_micros / MICRO:g}"
        )
    if posted.order_type is OrderType.GTD and posted.expiration <= now_s + GTD_AHEAD_S:
        raise Refusal("invalid expiration")
    if posted.order_type is not OrderType.GTD and posted.expiration:
        raise Refusal("invalid expiration")
    if posted.order_type.rests:
        _check_lot(posted)
    else:
        _check_marketable(posted, TAKER_DECIMALS[market.tick_micros])


def _check_marketable(posted: PostedOrder, decimals: int) -> None:
    if posted.side is Side.BUY and posted.usdc_micros < DOLLAR:
        raise Refusal(f"invalid amount for a marketable BUY order (${posted.usdc_micros / MICRO:g}), min size: $1")
    coarse = posted.usdc_micros % LOT_MICROS if posted.side is Side.BUY else posted.shares_micros % LOT_MICROS
    fine = posted.shares_micros % 10 ** (6 - decimals) if posted.side is Side.BUY else 0
    if coarse or fine:
        raise Refusal(
            "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
            f"taker amount a max of {decimals} decimals"
        )


def _check_lot(posted: PostedOrder) -> None:
    """Shares of a resting order have at most two decimals (venue.md 3.6)."""
    if posted.shares_micros % LOT_MICROS:
        size = f"{Decimal(posted.shares_micros) / MICRO:f}"
        raise Refusal(f"Size {size} has {len(size.partition('.')[2])} decimal places. Maximum lot size is 2")
