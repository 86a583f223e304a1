"""The monitor's announcements wake the workers; without them they look by themselves every half second."""

from collections.abc import Mapping

import structlog
from grpc import aio
from polycopy.monitor.v1 import monitor_pb2 as pb
from polycopy.monitor.v1 import monitor_pb2_grpc

from services.engine.worker import Worker

log = structlog.get_logger()


class Alarm:
    """Follows `WatchTrades` and wakes the worker of each announced copy's account."""

    def __init__(self, channel: aio.Channel, workers: Mapping[str, Worker]) -> None:
        self._stub = monitor_pb2_grpc.MonitorServiceStub(channel)
        self._workers = workers
        self._token = ""

    async def listen(self) -> None:
        """One stream, until it ends; the next one resumes where it stopped."""
        try:
            async for announced in self._stub.WatchTrades(pb.WatchTradesRequest(resume_token=self._token)):
                self._token = announced.resume_token
                worker = self._workers.get(announced.account_id)
                if worker is not None:
                    worker.expect(announced.trade.token_id)
        except aio.AioRpcError as error:
            log.info("announcements_lost", code=error.code().name)
