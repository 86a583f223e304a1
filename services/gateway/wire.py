"""Messages of AuthService from what the domain knows."""

from eth_utils.address import to_checksum_address
from google.protobuf.timestamp_pb2 import Timestamp
from polycopy.gateway.v1 import auth_pb2 as pb

from services.common.domain.user import Nonce, User


def write_nonce(nonce: Nonce) -> pb.CreateNonceResponse:
    """The message to sign."""
    expires_at = Timestamp()
    expires_at.FromDatetime(nonce.expires_at)
    return pb.CreateNonceResponse(nonce=nonce.nonce, message=nonce.message, expires_at=expires_at)


def write_login(token: str, user: User) -> pb.LoginResponse:
    """The session."""
    return pb.LoginResponse(token=token, user=pb.User(address=to_checksum_address(user.address), role=str(user.role)))
