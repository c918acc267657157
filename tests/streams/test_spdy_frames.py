"""Frames against bytes written by hand, and back and forth in any pieces."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.streams.spdy import dictionary, frames, headers
from cluster.streams.spdy.faults import Malformed

# Sections 2.2 and 2.6 of the specification, byte by byte.
BY_HAND = [
    ("80030003 00000008 00000005 00000005", frames.RstStream(5, 5)),
    ("80030006 00000004 00000001", frames.Ping(1)),
    ("80030007 00000008 00000003 00000002", frames.GoAway(3, 2)),
    ("80030009 00000008 00000001 00010000", frames.WindowUpdate(1, 65536)),
    ("80030004 0000000c 00000001 00000007 00020000", frames.Settings(((7, 131072),))),
    ("00000001 01000003 616263", frames.Data(1, b"abc", fin=True)),
    ("00000007 00000000", frames.Data(7, b"")),
]

BAD = [
    ("80020006 00000004 00000001", "version 2"),
    ("80030006 00000008 00000001 00000001", "control frame of 8 bytes where 4"),
    ("80030003 00000004 00000001", "control frame of 4 bytes where 8"),
    ("80030004 00000004 00000002", "SETTINGS"),
    ("80030001 00ffffff", "control frame of 16777215 bytes"),
    ("80030001 0000000e 00000001 00000000 0000 deadbeef", "inflated"),
    ("80030001 00000004 00000001", "control frame of 4 bytes where 10"),
]

names = st.text("abcdefghijklmnopqrstuvwxyz-:", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40)
header_lists = st.dictionaries(names, values, max_size=5).map(lambda d: tuple(d.items()))
ids = st.integers(1, 2**31 - 1)
some_frames = st.one_of(
    st.builds(
        frames.SynStream, ids, header_lists, st.booleans(), st.booleans(), ids, st.integers(0, 7)
    ),
    st.builds(frames.SynReply, ids, header_lists, st.booleans()),
    st.builds(frames.HeadersFrame, ids, header_lists, st.booleans()),
    st.builds(frames.RstStream, ids, st.integers(0, 11)),
    st.builds(frames.Ping, st.integers(0, 2**32 - 1)),
    st.builds(frames.GoAway, ids, st.integers(0, 2)),
    st.builds(frames.WindowUpdate, ids, ids),
    st.builds(frames.Settings, st.lists(st.tuples(st.integers(0, 99), ids)).map(tuple)),
    st.builds(frames.Data, ids, st.binary(max_size=300), st.booleans()),
)


@pytest.mark.parametrize(("text", "frame"), BY_HAND)
def test_frames_are_the_bytes_of_the_specification(text: str, frame: frames.Frame) -> None:
    raw = bytes.fromhex(text.replace(" ", ""))
    assert list(frames.Decoder().feed(raw)) == [frame]
    assert frames.Encoder().encode(frame) == raw


@pytest.mark.parametrize(("text", "words"), BAD)
def test_what_is_no_frame_is_refused(text: str, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        list(frames.Decoder().feed(bytes.fromhex(text.replace(" ", ""))))


def test_a_frame_of_an_unknown_kind_is_passed_over() -> None:
    raw = bytes.fromhex("8003007b00000002abcd" + "800300060000000400000009")
    assert list(frames.Decoder().feed(raw)) == [frames.Ping(9)]


def test_the_dictionary_is_the_one_of_the_specification() -> None:
    # Every SPDY/3 stream names it by this checksum.
    assert (len(dictionary.DICTIONARY), zlib.adler32(dictionary.DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_a_header_block_of_another_implementation_is_read() -> None:
    plain = b"\0\0\0\1" + b"\0\0\0\x0astreamtype" + b"\0\0\0\5stdin"
    packer = zlib.compressobj(9, zlib.DEFLATED, 11, zdict=dictionary.DICTIONARY)
    block = packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)
    unpacker = headers.Decompressor()
    assert unpacker.headers(block) == (("streamtype", "stdin"),)
    again = packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert len(again) < len(block)  # one zlib stream for the whole connection
    assert unpacker.headers(again) == (("streamtype", "stdin"),)


def test_several_values_of_a_header_stand_apart() -> None:
    block = headers.Compressor().block([("Accept", "a"), ("accept", "b")])
    assert headers.Decompressor().headers(block) == (("accept", "a"), ("accept", "b"))


@pytest.mark.parametrize("size", [1 << 16, 1 << 24])
def test_a_header_block_that_inflates_without_end_is_refused(size: int) -> None:
    packer = zlib.compressobj(zdict=dictionary.DICTIONARY)
    block = packer.compress(b"\0" * (size + 1)) + packer.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(Malformed):
        headers.Decompressor().headers(block)


@pytest.mark.parametrize(
    "plain", [b"", b"\0\0\0\1", b"\0\0\0\1\0\0\0\1", b"\0\0\0\0x", b"\xff\xff\xff\xff",
              b"\0\0\0\1\0\0\0\0\0\0\0\0", b"\0\0\0\1\0\0\0\1a\xff\xff\xff\xff"],
)  # fmt: skip
def test_header_blocks_that_lie_are_refused(plain: bytes) -> None:
    packer = zlib.compressobj(zdict=dictionary.DICTIONARY)
    block = packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(Malformed):
        headers.Decompressor().headers(block)


@given(st.lists(some_frames, max_size=6), st.integers(1, 40))
def test_frames_survive_the_way_in_any_pieces(sent: list[frames.Frame], step: int) -> None:
    encoder, decoder = frames.Encoder(), frames.Decoder()
    raw = b"".join(encoder.encode(frame) for frame in sent)
    got: list[frames.Frame] = []
    for start in range(0, len(raw), step):
        got += decoder.feed(raw[start : start + step])
    assert _flat(got) == _flat(sent)


def _flat(found: list[frames.Frame]) -> list[object]:
    """Data as single bytes, for it comes in parts; an empty part without an end says nothing."""
    flat: list[object] = []
    for frame in found:
        if isinstance(frame, frames.Data):
            flat += [(frame.stream, byte) for byte in frame.data]
            flat += [(frame.stream, "fin")] if frame.fin else []
        else:
            flat.append(frame)
    return flat


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_refused(raw: bytes) -> None:
    decoder = frames.Decoder()
    try:
        for frame in decoder.feed(raw):
            assert frame is not None
    except Malformed:
        return
