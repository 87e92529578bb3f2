"""Messages come out whole, however the bytes were cut on their way."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.ovsdb.framing import Framing

objects = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(messages=st.lists(objects, max_size=5), size=st.integers(1, 40), ascii_only=st.booleans())
def test_objects_come_out_as_they_went_in(messages: list[object], size: int, ascii_only: bool) -> None:
    stream = "".join(json.dumps(it, ensure_ascii=ascii_only) for it in messages)
    sent = stream.encode("utf-8", "surrogatepass")
    framing = Framing()
    received = [text for at in range(0, len(sent), size) for text in framing.feed(sent[at : at + size])]
    assert [json.loads(it.decode("utf-8", "surrogatepass")) for it in received] == messages


@pytest.mark.parametrize("sent", [b"hello", b"[1]", b"}", b'"text"', b'{"a":1}x', b"{}}"])
def test_what_cannot_be_objects_is_refused(sent: bytes) -> None:
    with pytest.raises(ValueError, match="does not begin a JSON object"):
        Framing().feed(sent)
