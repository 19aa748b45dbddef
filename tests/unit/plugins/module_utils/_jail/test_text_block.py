# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A part of a file that is ours, and all the rest that is not."""

from __future__ import annotations

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.text_block import Block
from hypothesis import given
from hypothesis import strategies as st

BLOCK = Block("darwin.jail test", "one\ntwo\n")
WHOLE = b"# BEGIN darwin.jail test\none\ntwo\n# END darwin.jail test\n"
OTHER = b"# BEGIN darwin.jail other\nx\n# END darwin.jail other\n"

LINES = st.lists(st.binary(max_size=20).filter(lambda line: b"darwin.jail" not in line), max_size=8).map(b"\n".join)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", WHOLE),
        (b"mine\n", b"mine\n" + WHOLE),
        (b"mine", b"mine\n" + WHOLE),
        (WHOLE, WHOLE),
        (WHOLE.rstrip(), WHOLE),
        (b"a\n# BEGIN darwin.jail test\nold\n# END darwin.jail test\nz\n", b"a\n" + WHOLE + b"z\n"),
        (OTHER, OTHER + WHOLE),
    ],
)
def test_where_it_goes(before: bytes, after: bytes) -> None:
    assert BLOCK.insert_into(before) == after


def test_a_block_without_a_last_newline() -> None:
    assert BLOCK._replace(text="one\ntwo").insert_into(b"") == WHOLE


@given(LINES, LINES)
def test_the_lines_of_others_stay(before: bytes, after: bytes) -> None:
    top = before + b"\n" if before else b""
    assert BLOCK.insert_into(top + WHOLE + after) == top + WHOLE + after
    assert BLOCK.insert_into(BLOCK.insert_into(before)) == BLOCK.insert_into(before)
    assert BLOCK._replace(text="").insert_into(top + WHOLE + after) == top + after


def test_an_empty_block_is_none() -> None:
    assert BLOCK._replace(text="").insert_into(b"mine") == b"mine"


@pytest.mark.parametrize(
    "content",
    [WHOLE + WHOLE, WHOLE.replace(b"END", b"BEGIN"), b"# BEGIN darwin.jail test\n", b"# END darwin.jail test\n"],
)
def test_markers_out_of_order(content: bytes) -> None:
    with pytest.raises(InputError, match=r"it must contain one line '# BEGIN darwin[.]jail test'"):
        BLOCK.insert_into(content)
