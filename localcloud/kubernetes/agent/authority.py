"""A certificate authority of this machine's own, for servers that play a cloud's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

LIFE = timedelta(days=365)


@dataclass(frozen=True)
class Authority:
    """`certificate` is in PEM; certificates that it issues are in `folder`."""

    folder: Path
    certificate: bytes
    _name: x509.Name
    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, folder: Path, name: str) -> Authority:
        """An authority that nobody has heard of; its key is in this process alone."""
        folder.mkdir(parents=True, exist_ok=True)
        key, subject = ec.generate_private_key(ec.SECP256R1()), _common_name(name)
        built = (
            _draft(subject, subject, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, SHA256())
        )
        return cls(folder, built.public_bytes(Encoding.PEM), subject, key)

    def issue(self, name: str) -> Path:
        """A key and a certificate for a server of this name, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = (
            _draft(_common_name("server"), self._name, key)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self._key, SHA256())
        )
        file = self.folder / f"{name}.pem"
        file.touch(0o600)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + built.public_bytes(Encoding.PEM))
        return file


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + LIFE
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
