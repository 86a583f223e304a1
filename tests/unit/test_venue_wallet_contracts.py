"""The wallets on the local chain: they do what their owner signed, once, and vouch for his signatures alone."""

from contextlib import suppress
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polymarket._internal.actions.relayer.calls import TransactionCall, erc20_approval_call
from polymarket.types import EvmAddress

from services.venue.accounts import Kind, account_of
from services.venue.node import addresses, artifacts, genesis
from services.venue.node.edits import Edit
from services.venue.node.reasons import reason
from services.venue.refusals import Refusal
from services.venue.relayer.relay import CODE
from services.venue.relayer.requests import Creation, Errand, read_submission
from services.venue.signing import order_hash
from tests.venue_chain import ALICE, BOB, Contracts
from tests.venue_wallets import NESTED, OWNER, a_batch, a_creation, a_submission

KINDS = [Kind.PROXY, Kind.SAFE, Kind.DEPOSIT]
SPENDERS = [EvmAddress(addresses.EXCHANGE), EvmAddress(addresses.CONDITIONAL_TOKENS)]
APPROVALS = [
    erc20_approval_call(token_address=EvmAddress(addresses.COLLATERAL), spender=one, amount=7) for one in SPENDERS
]
INITIALIZE = ("initialize", ("address",))
IS_VALID = ("isValidSignature", ("bytes32", "bytes"))


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    return Contracts()


@pytest.fixture(scope="module")
def wallets(contracts) -> dict[Kind, str]:
    """Alice's wallet of every kind, deployed."""
    return {kind: deployed(contracts, ALICE.address, kind) for kind in KINDS}


def deployed(contracts: Contracts, owner: str, kind: Kind) -> str:
    wallet = account_of(owner).wallets(kind)[-1 if owner == OWNER.signer else 0]
    contracts.chain.edit(Edit(genesis.canonical(wallet), code=artifacts.load(CODE[kind]).runtime))
    contracts.must(addresses.RELAYER, wallet, INITIALIZE, owner)
    return wallet


def nonce(contracts: Contracts, wallet: str) -> int:
    return contracts.ask(wallet, ("nonce", ()), "uint256")


def allowance(contracts: Contracts, wallet: str, spender: str) -> int:
    return contracts.ask(addresses.COLLATERAL, ("allowance", ("address", "address")), "uint256", wallet, spender)


def errand(body: object) -> Errand:
    wanted = read_submission(body)
    assert isinstance(wanted, Errand)
    return wanted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2])
def test_a_wallet_does_what_its_owner_signed_and_only_once(contracts, wallets, kind, count):
    at = nonce(contracts, wallets[kind])
    amount = 10 * kind + count
    calls = [
        erc20_approval_call(token_address=one.to, spender=spender, amount=amount)
        for one, spender in zip(APPROVALS, SPENDERS, strict=True)
    ]
    wanted = errand(a_submission(ALICE, kind, calls[:count], at))
    done = contracts.send_data(addresses.RELAYER, wanted.wallet, wanted.data)
    again = contracts.send_data(addresses.RELAYER, wanted.wallet, wanted.data)

    assert wanted.wallet == wallets[kind]
    assert done.ok, reason(done.output)
    assert not again.ok
    assert nonce(contracts, wallets[kind]) == at + 1
    assert [allowance(contracts, wallets[kind], one) for one in SPENDERS[:count]] == [amount] * count


@pytest.mark.parametrize("kind", KINDS)
def test_a_wallet_obeys_nobody_else(contracts, wallets, kind):
    at = nonce(contracts, wallets[kind])
    good = errand(a_submission(ALICE, kind, APPROVALS, at)).data
    signed = a_submission(ALICE, kind, APPROVALS, at)["signature"][2:66]
    forged = good.replace(signed, "11" * 32)

    assert forged != good
    assert not contracts.send_data(addresses.RELAYER, wallets[kind], forged).ok
    assert not contracts.send(BOB.address, wallets[kind], INITIALIZE, BOB.address).ok
    assert not contracts.send(addresses.RELAYER, wallets[kind], INITIALIZE, BOB.address).ok


@pytest.mark.parametrize("kind", KINDS)
def test_calls_that_fail_undo_each_other(contracts, wallets, kind):
    at = nonce(contracts, wallets[kind])
    before = allowance(contracts, wallets[kind], SPENDERS[0])
    broken = TransactionCall(to=APPROVALS[0].to, data="0xdeadbeef")
    changing = erc20_approval_call(token_address=APPROVALS[0].to, spender=SPENDERS[0], amount=before + 1)
    wanted = errand(a_submission(ALICE, kind, [changing, broken], at))

    assert not contracts.send_data(addresses.RELAYER, wallets[kind], wanted.data).ok
    assert allowance(contracts, wallets[kind], SPENDERS[0]) == before


def test_a_batch_that_is_too_late_is_not_done(contracts, wallets):
    wallet = wallets[Kind.DEPOSIT]
    late = errand(a_batch(ALICE, wallet, APPROVALS, nonce(contracts, wallet), deadline=1))

    assert reason(contracts.send_data(addresses.RELAYER, wallet, late.data).output) == "DeadlineExpired"


def test_a_deposit_wallet_vouches_for_its_owners_orders_alone(contracts):
    wallet = deployed(contracts, OWNER.signer, Kind.DEPOSIT)
    digest = order_hash(NESTED)

    def answer(digest: bytes, signature: bytes) -> str:
        return contracts.ask(wallet, IS_VALID, "bytes4", digest, signature).hex()

    assert wallet == NESTED.maker
    assert answer(digest, NESTED.signature) == "1626ba7e"
    for signature in (
        b"",
        NESTED.signature[:65],
        NESTED.signature[:-1],
        NESTED.signature + b"\0",
        bytes(65) + NESTED.signature[65:],
    ):
        assert answer(digest, signature) == "ffffffff"
    assert answer(bytes(32), NESTED.signature) == "ffffffff"


def test_every_wallet_takes_shares(contracts, wallets):
    take = ("onERC1155Received", ("address", "address", "uint256", "uint256", "bytes"))
    for wallet in wallets.values():
        assert contracts.ask(wallet, take, "bytes4", ALICE.address, ALICE.address, 1, 1, b"").hex() == "f23a6e61"


def test_the_wallet_to_be_made_is_the_one_of_today():
    alice = account_of(ALICE.address)

    assert read_submission(a_creation(ALICE, Kind.DEPOSIT)) == Creation(ALICE.address, alice.deposits[0], Kind.DEPOSIT)
    assert read_submission(a_creation(ALICE, Kind.SAFE)) == Creation(ALICE.address, alice.safe, Kind.SAFE)
    with pytest.raises(Refusal, match="invalid signature"):
        read_submission(a_creation(ALICE, Kind.SAFE) | {"signature": "0x" + "11" * 65})


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_as_it_was_signed_is_refused_before_it_is_sent(kind):
    good = a_submission(ALICE, kind, APPROVALS)
    wallet_field = "depositWallet" if kind is Kind.DEPOSIT else "proxyWallet"
    changes = {
        "nonce": "7",
        "from": BOB.address,
        "signature": "0x" + "11" * 65,
        "to": BOB.address,
        "metadata": "m" * 501,
        "type": "GIFT",
    }
    for name, value in changes.items():
        with pytest.raises(Refusal):
            read_submission(good | {name: value})
    other = deepcopy(good)
    place = other["depositWalletParams"] if kind is Kind.DEPOSIT else other
    place[wallet_field] = account_of(BOB.address).wallets(kind)[0]
    with pytest.raises(Refusal, match="does not belong"):
        read_submission(other)


@pytest.mark.parametrize(
    "body", [None, [], {}, {"from": 1}, {"from": "0x1"}, {"from": ALICE.address}, {"from": ALICE.address, "type": []}]
)
def test_a_body_of_another_shape_is_refused(body):
    with pytest.raises(Refusal):
        read_submission(body)


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_can_be_left_out_or_be_of_another_kind(kind):
    good = a_submission(ALICE, kind, APPROVALS)
    for name in good.keys() - {"metadata"}:
        for value in (None, 5, "x", [], {}, "9" * 5_000):
            with pytest.raises(Refusal):
                read_submission(good | {name: value})


GOOD = {kind: a_submission(ALICE, kind, APPROVALS) for kind in KINDS}
ODD = st.integers() | st.text(max_size=6) | st.sampled_from([None, True, 1.5, [], {}, [{}], "0x", "0x1 1", "9" * 100])


@given(kind=st.sampled_from(KINDS), data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_a_submission_it_is_read_or_refused(kind, data):
    body = deepcopy(GOOD[kind])
    place = data.draw(st.sampled_from([one for one in (body, *body.values()) if isinstance(one, dict)]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(ODD)
    with suppress(Refusal):
        assert isinstance(read_submission(body), Errand)
