import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout_runtime.bundle.examples import Example, parse_examples
from turnout_runtime.errors import BundleInvalid

LINE = b'{"request": {"context": {}}, "expect": {"decision": "late"}}'


def test_lines_are_numbered_as_an_editor_does() -> None:
    text = b"\n" + LINE + b"\r\n\n" + LINE.replace(b"late", b"on_time")
    examples = parse_examples(text, "golden.jsonl", golden=True)
    assert list(examples) == [2, 4]
    assert examples[2].expect is not None
    assert (examples[2].expect.decision, examples[2].tolerance, examples[2].time_ns) == ("late", 1e-6, None)


def test_a_time_has_a_zone() -> None:
    example = parse_examples(LINE[:-1] + b', "time": "2013-07-01T05:15:00-04:00"}', "g", golden=True)[1]
    assert example.time_ns == 1372670100 * 10**9


def test_a_warm_up_line_may_be_a_bare_request() -> None:
    bare, full = parse_examples(b'{"context": {"a": 1}, "entity_id": "x"}\n' + LINE, "w", golden=False).values()
    assert bare.request == {"context": {"a": 1}, "entity_id": "x"}
    assert full.request == {"context": {}}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "golden.jsonl line 1 is not JSON"),
        (b"[]", "golden.jsonl line 1: must be an object"),
        (b'{"expect": {"score": 1}}', "golden.jsonl line 1: request: Field required"),
        (b'{"request": {}}', "golden.jsonl line 1: expect: say what the answer must be"),
        (b'{"request": {}, "expect": {}}', "golden.jsonl line 1: expect: say what the answer must be"),
        (b'{"request": {}, "expect": {"scroe": 1}}', r"golden.jsonl line 1: expect\.scroe: "),
        (b'{"request": {}, "expect": {"score": 1}, "facts": {"w": 3}}', r"golden.jsonl line 1: facts\.w: "),
        (b'{"request": {}, "expect": {"score": 1}, "tolerance": -1}', "golden.jsonl line 1: tolerance: "),
        (b'{"request": {}, "expect": {"score": 1}, "time": "2013-07-01T05:15"}', "golden.jsonl line 1: time: "),
        (b'{"context": {}}', "golden.jsonl line 1: "),
    ],
)
def test_a_wrong_line_names_the_field(line: bytes, told: str) -> None:
    with pytest.raises(BundleInvalid, match=told):
        parse_examples(line, "golden.jsonl", golden=True)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*Example.model_fields, "context", "decision", "x"]), inner, max_size=5),
    ),
)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=99), _JSON.map(orjson.dumps)), st.booleans())
def test_any_bytes_are_examples_or_refused(text: bytes, golden: bool) -> None:
    try:
        examples = parse_examples(text, "file", golden=golden)
    except BundleInvalid as error:
        told = str(error)
    else:
        told = "".join(type(example).__name__ for example in examples.values()) or "nothing"
    assert told
