"""The body of an order, each field of one JSON type (venue.md 3.4): the venue's answer is one text for all, its journal names the field."""

from typing import Any

import pytest

from tests.venue_chain import BUY
from tests.venue_process import Venue
from tests.venue_trader import CENT, SHARE, id_of
from tests.venue_views import lines, market

pytestmark = pytest.mark.xdist_group("swift venue")


@pytest.fixture(scope="module")
def venue(swift_venue: Venue) -> Venue:
    return swift_venue


HALF = (BUY, 10 * SHARE, 50 * CENT, "GTC")
ANSWERED = {"errorMsg", "makingAmount", "orderID", "status", "success", "takingAmount", "tradeIDs"}
A_NUMBER, DIGITS, HEX = 5_000_000, "5", "0x00"
WRONG: list[tuple[str, Any]] = [
    ("salt", DIGITS),
    ("salt", 1.0),
    ("salt", True),
    ("salt", -1),
    ("signatureType", "0"),
    ("signatureType", False),
    ("signatureType", 4),
    ("tokenId", 7),
    ("makerAmount", A_NUMBER),
    ("takerAmount", A_NUMBER),
    ("makerAmount", "5e6"),
    ("takerAmount", "-5"),
    ("timestamp", A_NUMBER),
    ("expiration", 0),
    ("expiration", None),
    ("side", 0),
    ("maker", 7),
    ("signer", "me"),
    ("metadata", 0),
    ("metadata", HEX),
    ("builder", None),
    ("signature", HEX),
    ("orderType", 1),
    ("orderType", "gtc"),
    ("postOnly", "yes"),
    ("postOnly", 1),
    ("postOnly", None),
    ("deferExec", "no"),
    ("deferExec", 0),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=lambda value: repr(value)[:12])
async def test_a_field_of_another_type_is_refused_and_the_journal_names_it(web, trader, field, value):
    token = (await market(web))["tokens"][0]

    refused = await trader.refusal(token, *HALF, **{field: value})

    assert refused == (400, "Invalid order payload")
    (*_, line) = await lines(web, "order_refused")
    assert (line["error"], line["field"]) == ("Invalid order payload", field)
    assert line["expected"]
    assert (await trader.ask("/data/orders"))["data"] == []


async def test_what_may_be_left_out_counts_as_false(web, trader):
    token = (await market(web))["tokens"][0]
    body = trader.order(token, BUY, 10 * SHARE, CENT, "GTC").replace(b',"deferExec":false', b"")

    assert b"deferExec" not in body
    assert (await trader.post(body)).json()["orderID"] == id_of(body)


async def test_an_order_that_defers_is_answered_as_any_other(web, trader):
    token = (await market(web))["tokens"][0]
    answers = [await trader.place(token, BUY, 10 * SHARE, 99 * CENT, deferExec=deferred) for deferred in (False, True)]

    assert [(one["status"], len(one["tradeIDs"])) for one in answers] == [("matched", 1)] * 2
    # No hash of a transaction: the match is committed to the chain later.
    assert answers[0].keys() == answers[1].keys() == ANSWERED
    for one in answers:
        # Its dollars are spent at the makers' prices, which are better than its own: it gets more shares than it has signed for.
        assert 9.89 < float(one["makingAmount"]) <= 9.9
        assert float(one["takingAmount"]) > 10.5
