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
TIMEOUT_S = 5.0


class ApiKey:
    """Fetched once, before the first signed request; forgotten when the venue no longer knows it."""

    def __init__(self, http: httpx.AsyncClient, signer: Signer, letters: Letters, clock: Clock) -> None:
        self._http = http
        self._signer = signer
        self._letters = letters
        self._clock = clock
        self._known: Credentials | None = None
        self._fetching: asyncio.Task[Credentials] | None = None

    async def get(self) -> Credentials:
        """The credentials. Raises `VenueUnavailable`, also where the signer will not sign for them.

        Those who ask at the same time share one answer, also a bad one; it comes for the next one where the first gives up.
        """
        if self._known is not None:
            return self._known
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(self._clock.now()))
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)

    def close(self) -> None:
        """Ask no more."""
        if self._fetching is not None:
            self._fetching.cancel()

    def forget(self, refused: Credentials) -> None:
        """The venue refused these."""
        if self._known == refused:
            self._known = None

    def _fetched(self, task: asyncio.Task[Credentials]) -> None:
        self._fetching = None
        if not task.cancelled() and task.exception() is None:
            self._known = task.result()

    async def _fetch(self, now: datetime) -> Credentials:
        # Deriving first changes nothing at the venue; the same key and nonce always give the same credentials.
        seconds = int(now.timestamp())
        try:
            headers = l1_headers(self._signer.address, await self._signer.sign_auth(seconds, NONCE), seconds, NONCE)
            # A body that arrives byte by byte never trips a read timeout, and everybody else waits in line behind this one.
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._http.get("auth/derive-api-key", headers=headers)
                if HTTPStatus.BAD_REQUEST <= answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    answer = await self._http.post("auth/api-key", headers=headers)
                if answer.status_code == HTTPStatus.BAD_REQUEST:
                    # The venue creates a key once: another service of ours has just done it.
                    answer = await self._http.get("auth/derive-api-key", headers=headers)
        except SignerRefused as error:
            raise VenueUnavailable(f"no API credentials: the signer refused: {error}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise VenueUnavailable(f"no API credentials: {type(error).__name__}") from error
        if answer.status_code != HTTPStatus.OK:
            raise VenueUnavailable(f"no API credentials: HTTP {answer.status_code}")
        try:
            return read_credentials(decode("api_key", answer.content))
        except UnknownPayload as error:
            await self._letters.keep(error)
            raise VenueUnavailable("no API credentials: an answer that is not known") from error
