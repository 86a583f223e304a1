"""What the simulated venue answers to an order, byte for byte as the real one would: the production code has to make out what it means."""

import json
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import NamedTuple

import httpx

from services.common.domain.intent import Intent
from services.common.domain.market import Side
from services.common.domain.money import MICRO


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes


def refused(text: str, status: int = 400) -> Reply:
    return Reply(status, json.dumps({"error": text}).encode())


def taken(intent: Intent, status: str, shares_micros: int = 0, usdc_micros: int = 0, *trade_ids: str) -> Reply:
    """The order is taken, and has matched so much."""
    given, got = (usdc_micros, shares_micros) if intent.fields.side is Side.BUY else (shares_micros, usdc_micros)
    amounts = {"makingAmount": _units(given), "takingAmount": _units(got)} if given else {}
    answer = {"success": True, "errorMsg": "", "orderID": intent.order_hash, "status": status, **amounts}
    return Reply(200, json.dumps({**answer, "tradeIDs": trade_ids}).encode())


def _units(micros: int) -> str:
    return str(Decimal(micros) / MICRO)


DUPLICATED = refused("order 0x… is invalid. Duplicated.")
REFUSALS = (
    refused("not enough balance / allowance"),
    refused("no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."),
    refused("the market is not yet ready to process new orders"),
)
"""Each says that this order has done and will do nothing: the next may fare better."""
BROKEN = (
    Reply(502, b"<html><head><title>502 Bad Gateway</title></head></html>"),
    Reply(503, b""),
    Reply(520, b"error code: 520"),
    refused("could not insert order", 500),
    refused("not enough balance / allowance", 500),
    refused("service temporarily out of order"),
    Reply(200, b"<html>Just a moment...</html>"),
    Reply(200, b'{"success":tru'),
    Reply(200, b'{"success":true,"errorMsg":"","orderID":"","status":"resting"}'),
)


def broken(dice: Random, intent: Intent) -> Reply:
    """An answer that does not say what became of the order, whether it has matched or never came so far."""
    other = taken(replace(intent, order_hash=f"0x{'ab' * 32}"), "matched", intent.shares_micros, intent.usdc_micros)
    return dice.choice([*BROKEN, other, other])


TIMED_OUT = httpx.ReadTimeout("simulated")
CONNECTION_REFUSED = httpx.ConnectError("simulated")
