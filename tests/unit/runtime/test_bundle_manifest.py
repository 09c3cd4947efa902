import pytest
from tests.unit.runtime.builders import MANIFEST

from turnout_runtime.bundle.manifest import check_files, parse
from turnout_runtime.errors import BundleInvalid

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
        (b"- a\n", "document: "),
        (b"", "document: "),
        (b"\xff\xfe\xff", "is not YAML"),
        (b"a: &a [*a]", "not"),
        (b"!!python/object/apply:os.system ['true']", "document: "),
        (MANIFEST + b"#" * 300_000, "larger than"),
    ],
)
def test_a_wrong_manifest_names_the_field(text: bytes, told: str) -> None:
    with pytest.raises(BundleInvalid, match=told):
        parse(text)


def test_files_that_the_manifest_names_must_exist() -> None:
    manifest = parse(MANIFEST + MODELS)
    check_files(manifest, ["workflow.py", "a/m.onnx"])
    check_files(manifest, ["workflow/__init__.py", "a/m.onnx"])
    with pytest.raises(BundleInvalid, match=r"workflow: no workflow\.py"):
        check_files(manifest, ["a/m.onnx"])
    with pytest.raises(BundleInvalid, match=r"models\.m\.path: no file 'a/m\.onnx'"):
        check_files(manifest, ["workflow.py", "m.onnx"])
