"""Comments on events, as an administrator has them said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.venue.data.rows import Row
from services.venue.spelling import stamp

KINDS = ("Event", "Series")
MOST_OFFSET = 200


@dataclass(frozen=True, slots=True)
class Comment:
    """`parent_id` is the comment that it answers, empty for one that answers none."""

    id: str
    body: str
    entity_type: str
    entity_id: str
    parent_id: str
    user: str
    at: int


class Comments:
    """In the order in which they were said."""

    def __init__(self, name_of: Callable[[str], str], now_ms: Callable[[], int]) -> None:
        self._said: list[Comment] = []
        self._name_of = name_of
        self._now_ms = now_ms

    def say(self, body: str, entity_type: str, entity_id: str, user: str, parent_id: str = "") -> Comment:
        comment = Comment(
            id=str(len(self._said) + 1),
            body=body,
            entity_type=entity_type,
            entity_id=entity_id,
            parent_id=parent_id,
            user=user.lower(),
            at=self._now_ms() // 1_000,
        )
        self._said.append(comment)
        return comment

    def on(self, entity_type: str, entity_id: str) -> list[Comment]:
        return [one for one in self._said if (one.entity_type, one.entity_id) == (entity_type, entity_id)]

    def thread(self, comment_id: str) -> list[Comment]:
        """A comment and its answers."""
        return [one for one in self._said if comment_id in (one.id, one.parent_id)]

    def by(self, user: str) -> list[Comment]:
        return [one for one in self._said if one.user == user.lower()]

    def write(self, comment: Comment) -> Row:
        name = self._name_of(comment.user)
        row: Row = {
            "id": comment.id,
            "body": comment.body,
            "parentEntityType": comment.entity_type,
            "parentEntityID": int(comment.entity_id),
            "userAddress": comment.user,
            "createdAt": stamp(comment.at),
            "updatedAt": stamp(comment.at),
            "profile": {
                "name": name,
                "pseudonym": name.title(),
                "displayUsernamePublic": True,
                "bio": "",
                "baseAddress": comment.user,
                "profileImage": "",
            },
            "reactions": [],
            "reportCount": 0,
            "reactionCount": 0,
        }
        return row | ({"parentCommentID": comment.parent_id} if comment.parent_id else {})
