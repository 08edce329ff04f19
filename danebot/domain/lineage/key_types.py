"""The types and sizes of keys; imports nothing, since settings name them in every run."""

from __future__ import annotations

import enum


class KeyType(enum.Enum):
    """The key types and sizes that certbot issues with."""

    RSA_2048 = "rsa2048"
    RSA_3072 = "rsa3072"
    RSA_4096 = "rsa4096"
    P256 = "p256"
    P384 = "p384"

    @property
    def certbot_options(self) -> tuple[str, ...]:
        """The options of certbot that name this type and size."""
        if self in RSA_BITS:
            return ("--key-type", "rsa", "--rsa-key-size", str(RSA_BITS[self]))
        return ("--key-type", "ecdsa", "--elliptic-curve", CURVE_NAMES[self])

    @property
    def conf_settings(self) -> dict[str, str]:
        """The same as settings of a renewal configuration."""
        names = iter(self.certbot_options)
        return {name.removeprefix("--").replace("-", "_"): next(names) for name in names}


RSA_BITS = {KeyType.RSA_2048: 2048, KeyType.RSA_3072: 3072, KeyType.RSA_4096: 4096}
CURVE_NAMES = {KeyType.P256: "secp256r1", KeyType.P384: "secp384r1"}
