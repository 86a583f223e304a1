"""What changes follows and people: each change leaves an entry in its trail. Pure."""

from dataclasses import replace
from datetime import datetime

from services.common.domain import contents
from services.common.domain.follow import Follow, FollowState, Leaving, left
from services.common.domain.trail import lengthened, sealed
from services.common.domain.user import User, UserRole


def made(follow: Follow, by: str) -> Follow:
    """A new follow with the entry that says where it comes from."""
    trail = lengthened((), follow.created_at, by, "created", follow.version, "")
    return replace(follow, trail=sealed(trail, contents.hashed(contents.of_follow(follow))))


def leaving(follow: Follow, way: Leaving, by: str, now: datetime) -> Follow | None:
    """The follow that somebody deletes; None where that changes nothing."""
    after = left(follow, way)
    return None if after == follow else _followed(follow, after, by, f"{after.state}:{way}", now)


def over(follow: Follow, way: Leaving, now: datetime) -> Follow | None:
    """The follow that is over, where it is leaving in this way still; None where it is not."""
    if follow.state is not FollowState.CLOSING or follow.leaving is not way:
        return None
    return _followed(follow, replace(follow, state=FollowState.CLOSED), "engine", "closed", now)


def welcomed(user: User) -> User:
    """A person who logs in for the first time."""
    trail = lengthened((), user.created_at, user.address, f"created:{user.role}", user.token_epoch, "")
    return replace(user, trail=sealed(trail, contents.hashed(contents.of_user(user))))


def in_role(user: User, role: UserRole, now: datetime) -> User:
    """The person with what the configuration lets him do now."""
    return _person(user, replace(user, role=role), f"role:{role}", now)


def signed_out(user: User, now: datetime) -> User:
    """The person whose tokens are all revoked."""
    return _person(user, replace(user, token_epoch=user.token_epoch + 1), "signed_out", now)


def _followed(before: Follow, after: Follow, by: str, action: str, now: datetime) -> Follow:
    said = contents.hashed(contents.of_follow(before))
    trail = lengthened(before.trail, now, by, action, after.version, said)
    return replace(after, trail=sealed(trail, contents.hashed(contents.of_follow(after))))


def _person(before: User, after: User, action: str, now: datetime) -> User:
    said = contents.hashed(contents.of_user(before))
    trail = lengthened(before.trail, now, before.address, action, after.token_epoch, said)
    return replace(after, trail=sealed(trail, contents.hashed(contents.of_user(after))))
