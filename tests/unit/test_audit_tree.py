"""Canonical JSON, the tree and its proofs, held to the vectors of their RFCs; the verifier's own and ours say the same."""

import hashlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli import audit_verify
from services.common.domain.canonical import canonical
from services.common.domain.merkle import Frontier
from tests.audit_world import history, judged

LEAVES = [
    bytes.fromhex(h)
    for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""The leaves that implementations of the RFC share as test vectors, and the roots of the first one, two and so on."""

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**52), 2**52) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("size", range(1, 9))
def test_the_tree_has_the_roots_of_the_published_vectors(size: int):
    hashes = list(map(audit_verify.leaf_hash, LEAVES[:size]))

    assert Frontier().plus(LEAVES[:size]).root.hex() == ROOTS[size - 1]
    assert audit_verify.root(hashes).hex() == ROOTS[size - 1]


def test_a_tree_without_leaves_is_the_hash_of_nothing():
    assert Frontier().root == audit_verify.root([]) == hashlib.sha256(b"").digest()


def test_the_proofs_are_those_of_the_published_vectors():
    hashes = list(map(audit_verify.leaf_hash, LEAVES))

    assert [one.hex() for one in audit_verify.inclusion(hashes, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert audit_verify.consistency(hashes, 1) == audit_verify.inclusion(hashes, 0)
    assert audit_verify.consistency(hashes, 8) == []


def included(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that a path leads to (RFC 9162, 2.1.3.2)."""
    node, last, made = index, size - 1, leaf
    for sibling in path:
        if node & 1 or node == last:
            made = audit_verify.node_hash(sibling, made)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            made = audit_verify.node_hash(made, sibling)
        node, last = node >> 1, last >> 1
    return made


@given(st.integers(1, 200), st.randoms(use_true_random=False))
def test_a_tree_grown_in_any_steps_is_the_same_and_every_leaf_proves_itself(size: int, dice: random.Random):
    leaves = [str(number).encode() for number in range(size)]
    cut, index = dice.randrange(size + 1), dice.randrange(size)
    grown = Frontier().plus(leaves[:cut]).plus(leaves[cut:])
    hashes = list(map(audit_verify.leaf_hash, leaves))

    assert grown == Frontier().plus(leaves)
    assert grown.root == audit_verify.root(hashes)
    assert included(hashes[index], index, size, audit_verify.inclusion(hashes, index)) == grown.root


def test_names_are_ordered_and_text_is_spelled_as_the_rfc_shows():
    names = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    text = '\u20ac$\u000f\nA\'B"\\\\"/'

    assert list(json.loads(canonical(names))) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert canonical([text, None, True, 0]) == '["\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/",null,true,0]'.encode()
    assert (
        canonical({"b": 2**53, "a": [-(2**53), 2**53 - 1]})
        == b'{"a":["-9007199254740992",9007199254740991],"b":"9007199254740992"}'
    )


@pytest.mark.parametrize("value", [1.5, float("nan"), b"x", {1, 2}, object()])
def test_what_has_no_canonical_form_is_refused(value: object):
    with pytest.raises(TypeError):
        canonical({"x": [value]})


@given(values)
def test_the_verifier_spells_as_we_do(value: object):
    ours = canonical(value)

    assert audit_verify.canonical(json.loads(ours)) == ours
    assert json.loads(ours) == value


def test_a_proof_is_small_and_leads_to_the_signed_root():
    made = judged(history(documents=40).lines)
    trail = sorted(made.hashes)[0]

    proof = audit_verify.proof(made, trail)

    leaf = audit_verify.leaf_hash(canonical([trail, proof["seq"], proof["hash"]]))
    path = [bytes.fromhex(one) for one in proof["path"]]
    assert included(leaf, proof["leaf"], proof["size"], path).hex() == made.tree.root
    assert len(json.dumps(proof)) < 3_000
