import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.runtime.builders import MANIFEST

from turnout_runtime.bundle.manifest import Manifest, check_files, parse
from turnout_runtime.errors import BundleInvalid, DigestMismatch

MODELS = b"models: {m: {path: a/m.onnx, format: onnx}}\n"


def test_a_manifest_keeps_its_texts() -> None:
    manifest = parse(MANIFEST.replace(b'"1"', b"1.10") + b"card: {trained_at: 2013-06-30, rows: 1_000}\n" + MODELS)
    assert manifest.version == "1.10"
    assert manifest.card == {"trained_at": "2013-06-30", "rows": "1_000"}
    assert (manifest.module, manifest.attribute) == ("workflow", "Made")
    assert manifest.models["m"].path == "a/m.onnx"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MANIFEST.replace(b"workflow:Made", b"workflow"), r"workflow: .*module:Class"),
        (MANIFEST.replace(b"workflow:Made", b"../x:Made"), "workflow: "),
        (MANIFEST.replace(b"v1alpha1", b"v9"), "apiVersion: "),
        (MANIFEST.replace(b"name: made", b"nam: made"), "name: Field required; nam: "),
        (MANIFEST + b"models: {m: {path: m.pkl, format: pickle}}", "models.m.format: "),
        (MANIFEST + b"models: {m: {path: ../m.onnx, format: onnx}}", r"models.m.path: .*unsafe path"),
        (MANIFEST + b"models: {m: {path: /m.onnx, format: onnx}}", r"models.m.path: .*unsafe path"),
        (MANIFEST + b"card: {a: [b]}", "card.a: "),
        (MANIFEST + b"card: {", "is not YAML"),
        (b"- a\n", "bundle.yaml: must be an object"),
        (b"", "bundle.yaml: must be an object"),
        (b"\xff\xfe\xff", "is not YAML"),
        (b"a: &a [*a]", "not"),
        (b"!!python/object/apply:os.system ['true']", "bundle.yaml: must be an object"),
        (MANIFEST + b"#" * 300_000, "larger than"),
    ],
)
def test_a_wrong_manifest_names_the_field(text: bytes, told: str) -> None:
    with pytest.raises(BundleInvalid, match=told):
        parse(text)


_MEMBERS = st.sampled_from([*Manifest.model_fields, "path", "format", "sha256", "request", "m", "x"])
_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates(), st.binary(max_size=8)
)
_YAML = st.recursive(
    _LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_MEMBERS, inner, max_size=6))
)
_BASE = yaml.safe_load(MANIFEST)


def _parsed(text: bytes) -> None:
    try:
        manifest = parse(text)
    except BundleInvalid as error:
        told = str(error)
    else:
        told = manifest.name
    assert told


@settings(deadline=None)
@given(_YAML)
def test_any_yaml_is_a_manifest_or_refused(document: object) -> None:
    _parsed(yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass"))


@settings(deadline=None)
@given(st.dictionaries(_MEMBERS, _YAML, max_size=4))
def test_any_fields_beside_good_ones_are_a_manifest_or_refused(fields: dict[str, object]) -> None:
    _parsed(yaml.safe_dump({**_BASE, **fields}).encode())


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode(errors="replace"))))
def test_any_bytes_are_a_manifest_or_refused(text: bytes) -> None:
    _parsed(text)
    _parsed(MANIFEST + text)


@pytest.mark.parametrize("text", [b"a: " + b"[" * 5000, b"{a: " * 5000, b"- " * 5000, b"? " * 3000, b"&a " * 2000])
def test_deep_yaml_is_refused_and_ends_soon(text: bytes) -> None:
    _parsed(text)


def test_aliases_do_not_grow() -> None:
    bomb = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (b, b, b", ".join([b"*%c" % (b - 1)] * 9)) for b in range(98, 120)
    )
    with pytest.raises(BundleInvalid):
        parse(MANIFEST + bomb + b"card: *w\n")


def test_files_that_the_manifest_names_must_exist() -> None:
    manifest = parse(MANIFEST + MODELS)
    check_files(manifest, {"workflow.py": "", "a/m.onnx": ""})
    check_files(manifest, {"workflow/__init__.py": "", "a/m.onnx": ""})
    with pytest.raises(BundleInvalid, match=r"workflow: no workflow\.py"):
        check_files(manifest, {"a/m.onnx": ""})
    with pytest.raises(BundleInvalid, match=r"models\.m\.path: no file 'a/m\.onnx'"):
        check_files(manifest, {"workflow.py": "", "m.onnx": ""})


@pytest.mark.parametrize(
    "entry",
    ["golden: g.jsonl", "warmup: w.jsonl", "schemas: {request: r.json}", "artifacts: {words: {path: words.txt}}"],
)
def test_every_file_that_is_named_must_exist(entry: str) -> None:
    with pytest.raises(BundleInvalid, match=r"no file '.+' in the bundle"):
        check_files(parse(MANIFEST + entry.encode()), {"workflow.py": ""})


def test_a_file_must_have_the_sha256_that_the_manifest_says() -> None:
    manifest = parse(MANIFEST + b"models: {m: {path: m.onnx, format: onnx, sha256: " + b"a" * 64 + b"}}")
    check_files(manifest, {"workflow.py": "", "m.onnx": "a" * 64})
    with pytest.raises(DigestMismatch, match=r"models\.m\.path: m\.onnx has the sha256 b+, not a+"):
        check_files(manifest, {"workflow.py": "", "m.onnx": "b" * 64})
