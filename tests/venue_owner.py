"""A person with contract wallets at the local venue, through the official clients."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

import httpx
from eth_account.signers.local import LocalAccount
from polymarket import AsyncSecureClient, SecureClient
from polymarket._internal.environment import create_environment, get_environment_config
from polymarket.auth import ApiKey, RelayerApiKey
from polymarket.environments import Environment
from py_clob_client_v2.client import ClobClient

from services.common.polymarket.sdk import sdk_environment
from services.venue.accounts import Account, Kind, account_of
from services.venue.node import addresses
from tests.contract.venue_scenes import endpoints_of
from tests.patience import PATIENT_S
from tests.venue_process import Venue
from tests.venue_trader import USDC, a_wallet

POLL_MS = 100
MONEY = 500 * USDC


@dataclass(frozen=True)
class Owner:
    """One key, one of its wallets, and the venue."""

    venue: Venue
    key: LocalAccount
    kind: Kind
    wallet: str

    @property
    def account(self) -> Account:
        return account_of(self.key.address)

    def open(self, wallet: str | None = "", api_key: ApiKey | None = None) -> SecureClient:
        """polymarket-client for this wallet (None lets it choose for itself), with a relayer key unless given another."""
        return SecureClient.create(
            private_key=self.key.key.hex(),
            wallet=self.wallet if wallet == "" else wallet,
            environment=environment_of(self.venue),
            api_key=api_key or relayer_key(self.venue, self.key.address),
        )

    @contextmanager
    def client(self, wallet: str | None = "", api_key: ApiKey | None = None) -> Generator[SecureClient]:
        """The same, closed afterwards."""
        made = self.open(wallet, api_key)
        try:
            yield made
        finally:
            made.close()

    @asynccontextmanager
    async def async_client(self, api_key: ApiKey | None = None) -> AsyncGenerator[AsyncSecureClient]:
        """The same that does not block."""
        made = await AsyncSecureClient.create(
            private_key=self.key.key.hex(),
            wallet=self.wallet,
            environment=environment_of(self.venue),
            api_key=api_key or relayer_key(self.venue, self.key.address),
        )
        try:
            yield made
        finally:
            await made.close()

    def clob(self) -> ClobClient:
        """py-clob-client-v2 for this wallet, with its API key."""
        made = ClobClient(
            self.venue.url + "/clob",
            addresses.CHAIN_ID,
            key=self.key.key.hex(),
            signature_type=self.kind.value,
            funder=self.wallet,
        )
        made.set_api_creds(made.create_or_derive_api_key())
        return made


def an_owner(venue: Venue, kind: Kind, *, old: bool = False, deployed: bool = True, approved: bool = True) -> Owner:
    """Somebody new with money in his wallet of a kind."""
    key = a_wallet()
    wallet = account_of(key.address).wallets(kind)[1 if old else 0]
    with httpx.Client(base_url=venue.url, timeout=PATIENT_S) as web:
        if deployed and kind is not Kind.EOA:
            body = {"owner": key.address, "signature_type": kind.value, "old": old}
            web.post("/admin/wallets", json=body).raise_for_status()
        funding = {"address": wallet, "usdc_micros": MONEY, "approve": approved}
        web.post("/admin/fund", json=funding).raise_for_status()
    return Owner(venue, key, kind, wallet)


def environment_of(venue: Venue) -> Environment:
    """The SDK's, which asks the relayer more often than it asks the real one."""
    config = get_environment_config(sdk_environment(endpoints_of(venue)))
    return create_environment(name="venue", config=replace(config, relayer_poll_frequency_ms=POLL_MS))


def relayer_key(venue: Venue, address: str) -> RelayerApiKey:
    given = (
        httpx.post(venue.url + "/admin/relayer-key", json={"address": address}, timeout=PATIENT_S)
        .raise_for_status()
        .json()
    )
    return RelayerApiKey(key=given["key"], address=given["address"])
