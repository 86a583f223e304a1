"""The CLOB over REST, put together: its routes under `/clob`, its switches under `/admin` (venue.md 3)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route

from services.venue.body import asked
from services.venue.clob.answers import endpoint, unknown
from services.venue.clob.balances import Balances
from services.venue.clob.builders import Builders
from services.venue.clob.gate import Gate
from services.venue.clob.heartbeats import Heartbeats
from services.venue.clob.history import History
from services.venue.clob.intake import Intake
from services.venue.clob.keys import Keys
from services.venue.clob.lookups import Lookups
from services.venue.clob.market_data import MarketData
from services.venue.clob.markets import Markets
from services.venue.clob.notifications import Notifications
from services.venue.clob.past import Past
from services.venue.clob.rewards import Rewards
from services.venue.clob.scripted import Script
from services.venue.clob.throttle import Limits
from services.venue.clob.trading import Trading
from services.venue.clob.tuning import Tuning
from services.venue.clock import Clock
from services.venue.deployments import Deployments
from services.venue.exchange import Exchange
from services.venue.journal import Journal
from services.venue.prices import Prices
from services.venue.region import Region


class Clob:
    """`names` are the traders' by address; `tuning` what `/admin/clob` has last been told."""

    def __init__(
        self,
        exchange: Exchange,
        gate: Gate,
        journal: Journal,
        prices: Prices,
        clock: Clock,
        limits: Limits,
        names: Mapping[str, str],
        deployments: Deployments,
    ) -> None:
        now_ms = clock.now_ms
        past = Past(lambda wallet: names.get(wallet.lower(), ""))
        notifications = Notifications(gate, gate.credentials.known, now_ms)
        exchange.subscribe(past.hear)
        exchange.subscribe(notifications.hear)
        self.tuning = Tuning()
        self._script = Script()
        self._builders = Builders(exchange)
        self._heartbeats = Heartbeats(exchange, gate, journal, now_ms)
        self._limits = limits
        self._note = journal.note
        self._region = Region(journal.note)

        def tuned() -> Tuning:
            return self.tuning

        self.intake = Intake(exchange, journal, self._script, deployments, tuned, self._region)
        self._routes: list[Route] = [
            *Trading(exchange, gate, self.intake, limits, self._region, tuned, now_ms).routes(),
            *Lookups(exchange, gate, tuned, now_ms).routes(),
            *MarketData(exchange, now_ms).routes(),
            *Markets(exchange, prices).routes(),
            *Balances(exchange, gate, deployments, tuned).routes(),
            *History(exchange, past, now_ms).routes(),
            *Keys(gate).routes(),
            *self._heartbeats.routes(),
            *notifications.routes(),
            *Rewards(exchange, gate, prices).routes(),
            *self._builders.routes(),
            *limits.routes(gate),
        ]

    def routes(self) -> list[BaseRoute]:
        """What is not among them is a 404, another method a 405, in JSON as everything."""
        inside = Starlette(routes=self._routes, exception_handlers={HTTPException: unknown})
        return [
            Mount("/clob", app=inside),
            Route("/admin/clob", endpoint(self._tell)),
            Route("/admin/clob", endpoint(self._tune), methods=["POST"]),
            *self._region.routes(),
            *self._script.admin_routes(),
            *self._builders.admin_routes(),
            *self._limits.admin_routes(),
        ]

    def lapse(self) -> None:
        """Do what is due by time alone."""
        self._heartbeats.lapse()

    async def _tell(self, _: Request) -> object:
        return self.tuning.told()

    async def _tune(self, request: Request) -> object:
        self.tuning = self.tuning.changed(await asked(request))
        self._note("switched", name="clob", values=self.tuning.told())
        return self.tuning.told()
