"""A marketable order that comes to nothing at once: refused, or (`/admin/clob`) taken and unmatched, as every client of ours reads it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from polymarket.errors import RequestRejectedError
from polymarket.models.clob.order_response import RejectedOrder
from py_clob_client_v2 import ClobClient
from py_clob_client_v2.clob_types import OrderArgs
from py_clob_client_v2.exceptions import PolyApiException

from services.common.domain.intent import Outcome
from services.common.domain.lifecycle import CopyState
from services.venue.accounts import Kind
from tests import scripted_venue
from tests.contract.venue_scenes import over_the_network
from tests.engine_world import World
from tests.patience import PATIENT_S
from tests.venue_asked import FORMS, asked
from tests.venue_chain import BUY
from tests.venue_owner import an_owner
from tests.venue_process import Venue
from tests.venue_trader import CENT, SHARE, Trader, id_of
from tests.venue_views import lines, market

pytestmark = pytest.mark.xdist_group("swift venue")


@pytest.fixture(scope="module")
def venue(swift_venue: Venue) -> Venue:
    return swift_venue


LOW = (BUY, 100 * SHARE, CENT)
UNMATCHED = {
    "errorMsg": "",
    "orderID": "",
    "takingAmount": "",
    "makingAmount": "",
    "status": "unmatched",
    "success": True,
}


@pytest.fixture
async def unmatched(web: httpx.AsyncClient) -> AsyncIterator[None]:
    """What is killed is answered `unmatched`; afterwards it is refused again."""
    assert (await web.post("/admin/clob", json={"killed": "unmatched"})).json()["killed"] == "unmatched"
    yield
    await web.post("/admin/clob", json={"killed": "refused"}, timeout=PATIENT_S)


@pytest.mark.parametrize("kind", ["FAK", "FOK"])
async def test_an_order_that_is_killed_is_refused_or_taken_and_unmatched(web, trader: Trader, unmatched, kind):
    token = (await market(web))["tokens"][0]
    body = trader.order(token, *LOW, kind)
    answer, again = await trader.post(body), await trader.post(body)
    (leg,) = (await trader.post(b"[" + trader.order(token, *LOW, kind) + b"]", "/orders")).json()
    await web.post("/admin/clob", json={"killed": "refused"}, timeout=PATIENT_S)
    refused = await trader.refusal(token, *LOW, kind)
    received = [line for line in await lines(web, "order_received") if line["hash"] == id_of(body)]

    assert (answer.status_code, answer.json()) == (200, UNMATCHED)
    assert leg == UNMATCHED
    assert again.json()["error"] == f"order {id_of(body)} is invalid. Duplicated."
    assert (refused[0], f"{kind} orders are" in refused[1]) == (400, True)
    assert [(line["outcome"], line["status"]) for line in received] == [("accepted", "unmatched"), ("refused", "")]
    assert (await trader.ask("/data/trades"))["data"] == []
    assert await trader.ask(f"/data/order/{id_of(body)}") is None


async def test_what_finds_something_is_matched_whatever_the_switch_says(web, trader: Trader, unmatched):
    token = (await market(web))["tokens"][0]

    assert (await trader.place(token, BUY, 10 * SHARE, 99 * CENT))["status"] == "matched"


def test_the_client_of_the_clob_is_handed_the_answer_as_it_is(venue: Venue, unmatched):
    owner = an_owner(venue, Kind.EOA)
    client = ClobClient(venue.url + "/clob", 137, key=owner.key.key.hex())
    client.set_api_creds(client.create_or_derive_api_key())
    token = client.get_markets()["data"][0]["tokens"][0]["token_id"]

    def post() -> Any:
        return client.create_and_post_order(
            OrderArgs(token_id=token, price=0.01, size=100, side="BUY"), order_type="FAK"
        )

    answer = post()
    httpx.post(venue.url + "/admin/clob", json={"killed": "refused"}, timeout=PATIENT_S).raise_for_status()
    with pytest.raises(PolyApiException) as refused:
        post()

    assert answer == UNMATCHED
    assert refused.value.status_code == 400


@pytest.mark.parametrize("form", FORMS)
async def test_the_unified_client_calls_it_rejected_for_it_has_no_id(web, venue: Venue, unmatched, form):
    token = (await market(web))["tokens"][0]
    wish: dict[str, Any] = {"token_id": token, "side": "BUY", "amount": "2", "max_price": "0.01", "order_type": "FAK"}
    async with asked(an_owner(venue, Kind.EOA), form) as ask:
        answer = await ask("place_market_order", **wish)
        await web.post("/admin/clob", json={"killed": "refused"}, timeout=PATIENT_S)
        with pytest.raises(RequestRejectedError, match="no orders found to match"):
            await ask("place_market_order", **wish)

    assert isinstance(answer, RejectedOrder)


async def test_our_client_knows_that_nothing_was_bought_and_a_copy_ends_with_that(venue: Venue, unmatched, monkeypatch):
    async with over_the_network(venue) as scene:
        intent = await scene.an_order(20 * SHARE, beyond_ticks=-1)
        answer = await scene.post(intent)
    # The same answer to every order of a copy: it is tried anew as often as the policy says, and ends.
    monkeypatch.setitem(scripted_venue.NOTHING_DONE, "unmatched", answer)
    world = await World().open()
    world.venue.script = ["unmatched"] * 9
    copy = await world.buys()
    world.start()
    await world.run(30)
    done, account = await world.copy(copy), await world.account()
    world.kill()

    assert (answer.outcome, answer.status, answer.shares_micros) == (Outcome.ACKED, "unmatched", None)
    assert (done.state, done.failure) == (CopyState.FAILED, "unmatched")
    assert not account.exposure.open
