"""A chain is trusted when OpenSSL on both sides completes a handshake with it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import DAY
from danebot.adapters.probe.trust import distrust, trust_anchors
from domain import pki


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes(trees.authority()[0].pem)
    return path


def judge(directory: Path, key: bytes, chain: bytes, ca: Path | None) -> str:
    (directory / "privkey.pem").write_bytes(key)
    (directory / "fullchain.pem").write_bytes(chain)
    return distrust(directory / "privkey.pem", directory / "fullchain.pem", ca)


def chain_of(leaf: pki.Issued) -> bytes:
    return leaf.pem + trees.authority()[1].pem


@pytest.mark.parametrize("key", ["one", "rsa2048", "ed25519"])
def test_a_good_chain_of_each_kind_of_key(tmp_path: Path, ca: Path, key: str) -> None:
    leaf = trees.leaf(key, 1)
    assert judge(tmp_path, leaf.key_pem, chain_of(leaf), ca) == ""


def test_a_missing_intermediate(tmp_path: Path, ca: Path) -> None:
    leaf = trees.leaf("one", 1)
    assert "unable to get local issuer" in judge(tmp_path, leaf.key_pem, leaf.pem, ca)


def test_an_issuer_that_is_not_in_the_trust_store(tmp_path: Path) -> None:
    leaf = trees.leaf("one", 1)
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(pki.issue("Stranger", ca=True).pem)
    said = judge(tmp_path, leaf.key_pem, chain_of(leaf), stranger)
    assert said.startswith("certificate verification: ")
    assert judge(tmp_path, leaf.key_pem, chain_of(leaf), None)


def test_the_default_trust_store_can_be_named_by_the_environment(
    tmp_path: Path, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real setting of the process, not a patch: OpenSSL reads it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    leaf = trees.leaf("one", 1)
    assert judge(tmp_path, leaf.key_pem, chain_of(leaf), None) == ""


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [(-3, -1, "certificate has expired"), (1, 3, "certificate is not yet valid")],
)
def test_validity(tmp_path: Path, ca: Path, begin: int, end: int, words: str) -> None:
    valid = (trees.now() + begin * DAY, trees.now() + end * DAY + timedelta(hours=1))
    leaf = pki.issue(None, trees.authority()[1], names=(trees.NAME,), of_key="one", valid=valid)
    assert words in judge(tmp_path, leaf.key_pem, chain_of(leaf), ca)


def test_a_certificate_for_clients_only(tmp_path: Path, ca: Path) -> None:
    valid = (trees.now() - DAY, trees.now() + DAY)
    leaf = pki.issue(
        None,
        trees.authority()[1],
        names=(trees.NAME,),
        of_key="one",
        valid=valid,
        extended=(pki.CLIENT_AUTH,),
    )
    assert "purpose" in judge(tmp_path, leaf.key_pem, chain_of(leaf), ca)


@pytest.mark.parametrize(
    ("key", "chain"),
    [
        (trees.key_pem("other"), chain_of(trees.leaf("one", 1))),
        (b"garbage", chain_of(trees.leaf("one", 1))),
        (trees.key_pem("one"), b"garbage"),
    ],
    ids=["another key", "no key", "no chain"],
)
def test_what_openssl_does_not_load(tmp_path: Path, ca: Path, key: bytes, chain: bytes) -> None:
    said = judge(tmp_path, key, chain, ca)
    assert said.startswith("OpenSSL can't load ")
    assert "\n" not in said


@pytest.mark.parametrize("content", [None, b"", b"garbage"])
def test_a_trust_store_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    leaf = trees.leaf("one", 1)
    store = tmp_path / "store.pem"
    if content is not None:
        store.write_bytes(content)
    said = judge(tmp_path, leaf.key_pem, chain_of(leaf), store)
    assert said.startswith("the trust store ")
    assert trust_anchors(store) is None


def test_the_anchors_of_a_trust_store(ca: Path) -> None:
    assert trust_anchors(ca) == (trees.authority()[0].der,)
    default = trust_anchors(None)
    assert default
    assert trees.authority()[0].der not in default
