"""The token that a cluster asks for: from the environment or the system's keyring, kept nowhere."""

from __future__ import annotations

import os

NAME = "LORA_LAB_CLUSTER_TOKEN"
RAYS = "RAY_AUTH_TOKEN"  # the variable of Ray's own programs
SERVICE = "lora-lab"  # in the keyring; the address is the user there


def token_for(address: str) -> str:
    """The token for the head at `address`; "" where none is known."""
    for name in (NAME, RAYS):
        if token := os.environ.get(name, ""):
            return token
    try:
        import keyring

        return keyring.get_password(SERVICE, address) or ""
    except Exception:  # noqa: BLE001 - it is not installed, locked, or of another system
        return ""


def how_to_keep(address: str) -> str:
    """Where a person puts the token, for messages."""
    return f"Put it into {NAME}, or into the keyring: keyring set {SERVICE} {address}"
