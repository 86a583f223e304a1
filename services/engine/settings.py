"""What the engine reads from its environment."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from services.common.sealing import SETTING, KeyRing, SealKeyRejected
from services.common.settings import (
    AccountSettings,
    Check,
    CommonSettings,
    Listen,
    Settings,
    SignerTarget,
    StoreSettings,
    VenueSettings,
)
from services.engine.process_facts import GateLimits
from services.engine.timing import Timing


class SealSettings(Settings):
    """What stored signatures are sealed with."""

    seal_key_file: Path = Field(
        description="File of keys (64 hex digits a line, readable by its owner alone) that stored signatures are encrypted with; "
        "the first line encrypts, all of them decrypt"
    )


class EngineSettings(CommonSettings, StoreSettings, VenueSettings, AccountSettings, SignerTarget, SealSettings):
    """Field `x` is the variable `X`."""

    engine_listen: Listen = Field("127.0.0.1:50052", description="Where EngineService listens")
    rpc_witness_urls: str = Field(
        "",
        pattern=r"^\s*(https?://[^\s,]+(\s*,\s*https?://[^\s,]+)*)?\s*$",
        description="Further nodes of the chain, comma separated: while those that answer do not know the blocks that RPC_URL knows, "
        "or none answers, nothing new is copied",
    )
    monitor_target: str = Field("127.0.0.1:50051", description="MonitorService, whose announcements wake the engine")
    engine_lease_ms: int = Field(5_000, ge=1_000, description="How long a claim holds; renewed three times as often")
    engine_at_once: int = Field(64, ge=1, le=200, description="Copies in hand at once, for each account")
    engine_resend_ms: int = Field(
        1_000,
        ge=100,
        description="How long after its first sending an unanswered order is sent again; later three and nine times as long",
    )
    engine_retry_ms: int = Field(
        1_000,
        ge=100,
        description="How long after an order came to nothing its copy may have another; later three times as long",
    )
    engine_look_again_ms: int = Field(
        30_000, ge=100, description="How far apart the look-ups are that find nothing of an order past its deadline"
    )
    engine_give_up_ms: int = Field(
        60_000, ge=100, description="How long after its deadline an order that nobody knows is presumed dead"
    )
    engine_watch_ms: int = Field(
        86_400_000, ge=1_000, description="How long an order that is presumed dead is watched, its cash set aside"
    )
    engine_brake_ms: int = Field(600_000, ge=100, description="How long a trouble with an order counts for the brakes")

    @property
    def witnesses(self) -> tuple[str, ...]:
        """The further nodes."""
        return tuple(part.strip() for part in self.rpc_witness_urls.split(",") if part.strip())

    @property
    def timing(self) -> Timing:
        """The waits of one account's work."""
        lease, resend, retry = map(_ms, (self.engine_lease_ms, self.engine_resend_ms, self.engine_retry_ms))
        return Timing(
            lease=lease,
            renew_every=lease * 0.3,
            resend_after=(resend, resend * 3, resend * 9),
            retry_after=(retry, retry * 3),
            look_again=_ms(self.engine_look_again_ms),
            give_up_after=_ms(self.engine_give_up_ms),
            watch_for=_ms(self.engine_watch_ms),
            at_once=self.engine_at_once,
        )

    @property
    def gate_limits(self) -> GateLimits:
        """How far a process condition may be off."""
        return GateLimits(brake_window=_ms(self.engine_brake_ms))


def _ms(figure: int) -> timedelta:
    return timedelta(milliseconds=figure)


def seal_problems(settings: SealSettings) -> Sequence[str]:
    """What keeps signatures from being stored."""
    try:
        KeyRing.read(settings.seal_key_file)
    except SealKeyRejected as error:
        return [f"{SETTING}: {error}"]
    return ()


SEALED = Check(SealSettings, seal_problems)
