"""The API credentials of one signer: derived where the venue has them, created where it has not."""

import asyncio
from datetime import datetime
from http import HTTPStatus

import httpx

from services.common.polymarket.auth import Credentials, l1_headers
from services.common.polymarket.letters import Letters
from services.common.polymarket.parse.clob import read_credentials
from services.common.polymarket.parse.payload import UnknownPayload, decode
from services.common.ports.clock import Clock
from services.common.ports.signer import Signer, SignerRefused
from services.common.ports.venue import VenueUnavailable

NONCE = 0


class ApiKey:
    """Fetched once, before the first signed request; forgotten when the venue no longer knows it."""

    def __init__(self, http: httpx.AsyncClient, signer: Signer, letters: Letters, clock: Clock) -> None:
        self._http = http
        self._signer = signer
        self._letters = letters
        self._clock = clock
        self._known: Credentials | None = None
        self._line = asyncio.Lock()

    async def get(self) -> Credentials:
        """The credentials. Raises `VenueUnavailable`, also where the signer will not sign for them."""
        async with self._line:
            if self._known is None:
                self._known = await self._fetch(self._clock.now())
            return self._known

    def forget(self, refused: Credentials) -> None:
        """The venue refused these."""
        if self._known == refused:
            self._known = None

    async def _fetch(self, now: datetime) -> Credentials:
        # Deriving first changes nothing at the venue; the same key and nonce always give the same credentials.
        seconds = int(now.timestamp())
        try:
            headers = l1_headers(self._signer.address, await self._signer.sign_auth(seconds, NONCE), seconds, NONCE)
            answer = await self._http.get("auth/derive-api-key", headers=headers)
            if HTTPStatus.BAD_REQUEST <= answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                answer = await self._http.post("auth/api-key", headers=headers)
        except SignerRefused as error:
            raise VenueUnavailable(f"no API credentials: the signer refused: {error}") from error
        except httpx.HTTPError as error:
            raise VenueUnavailable(f"no API credentials: {type(error).__name__}") from error
        if answer.status_code != HTTPStatus.OK:
            raise VenueUnavailable(f"no API credentials: HTTP {answer.status_code}")
        try:
            return read_credentials(decode("api_key", answer.content))
        except UnknownPayload as error:
            await self._letters.keep(error)
            raise VenueUnavailable("no API credentials: an answer that is not known") from error
