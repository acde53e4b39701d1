"""A Google service account that nobody but this machine knows."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@cache
def _key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def account(token_uri: str) -> dict[str, str]:
    """The contents of its key file; its tokens come from `token_uri`."""
    return {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "1",
        "private_key": _key(),
        "client_email": "bise@project.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_uri,
    }
