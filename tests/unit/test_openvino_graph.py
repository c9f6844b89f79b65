"""OpenVINO for real, on whatever CPU this is."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from actors.model_files import ModelError, ModelFiles
from actors.onnx_session import OnnxSession
from actors.openvino_graph import import_openvino
from actors.session_options import SessionOptions
from actors.token_classifier import TokenClassifier
from pipelines.light import LightPipeline

if importlib.util.find_spec("openvino") is None:
    pytest.skip("the extra openvino is not installed", allow_module_level=True)

ROOT = Path(__file__).parents[2]
IDS = np.array([[2, 4, 5, 6, 3], [2, 7, 8, 9, 3]])
TEXTS = [
    "IL-2 gene expression and NF-kappa B activation through CD28 requires reactive oxygen production.",
    "The human T-cell line Jurkat was transfected with c-fos mRNA.",
]


@pytest.fixture(scope="module")
def openvino():
    return import_openvino()


def refuses(path, *parts, **options):
    with pytest.raises(ModelError) as caught:
        OnnxSession(path, device="openvino", **options)
    message = str(caught.value)
    assert "\n" not in message
    assert all(str(part) in message for part in parts), message


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"inputs": ("input_ids",)},
        {"outputs": ("tag_ids", "scores")},
        {"outputs": ("hidden", "logits")},
        {"outputs": ("scores", "logits", "tag_ids")},
        {"output_type": TensorProto.FLOAT16},
        {"positions": 5},
        {"labels": 200, "outputs": ("tag_ids", "scores")},
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_tags_of_onnx_runtime(threads, options, onnx_graph, tmp_path):
    table = onnx_graph(tmp_path / "model.onnx", **options)
    expected = OnnxSession(tmp_path / "model.onnx").run(IDS)
    session = OnnxSession(tmp_path / "model.onnx", device="openvino", threads=threads)
    found = session.run(IDS)
    assert found[0].tolist() == expected[0].tolist()
    assert found[1].dtype == np.float32
    np.testing.assert_allclose(found[1], expected[1], atol=1e-3 if "output_type" in options else 1e-5)
    assert session.count_labels(IDS) == table.shape[1]


def test_what_a_run_gave_stays_after_the_next(onnx_graph, tmp_path):
    onnx_graph(tmp_path / "model.onnx")
    session = OnnxSession(tmp_path / "model.onnx", device="openvino")
    (first,) = session.infer(IDS)
    before = first.copy()
    session.infer(IDS[::-1].copy())
    assert first.tolist() == before.tolist()


def test_the_embedded_model_finds_the_same(embedded_model):
    found, expected = (LightPipeline(embedded_model, device=device).annotate(TEXTS) for device in ("openvino", "cpu"))
    assert [[chunk["text"] for chunk in chunks] for chunks in found] == [
        [chunk["text"] for chunk in chunks] for chunks in expected
    ]
    assert sum(map(len, found)) > 3


def test_floats_are_float32_whatever_the_cpu_has(openvino, onnx_graph, tmp_path):
    onnx_graph(tmp_path / "model.onnx")
    compiled = OnnxSession(tmp_path / "model.onnx", device="openvino", threads=2)._graph._request.get_compiled_model()
    assert compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 2
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


@pytest.mark.parametrize(("precision", "capability"), [("bfloat16", "BF16"), ("float16", "FP16")])
def test_a_precision_that_the_cpu_has_not_is_refused(precision, capability, openvino, onnx_graph, tmp_path):
    """OpenVINO itself would compute in float32, and not say so."""
    onnx_graph(tmp_path / "model.onnx")
    options = SessionOptions(precision=precision)
    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if capability in capabilities:
        session = OnnxSession(tmp_path / "model.onnx", device="openvino", options=options)
        np.testing.assert_allclose(session.run(IDS)[1], OnnxSession(tmp_path / "model.onnx").run(IDS)[1], atol=0.05)
    else:
        instead = "bf16" if "BF16" in capabilities else "f32"
        refuses(tmp_path / "model.onnx", f"precision={precision}: this CPU computes in {instead}", options=options)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"inputs": ("input_ids", "bbox")}, ["inputs are bbox, input_ids"]),
        ({"shape": (1, "pieces")}, ["is fixed", "dynamic axes"]),
        ({"input_type": TensorProto.INT32}, ["tensor(int32)", "int64"]),
        ({"outputs": ("start", "end")}, ["outputs are start, end", "logits"]),
        ({"outputs": ("tag_ids", "scores"), "metadata": {}}, ["do not say of how many labels"]),
    ],
)
def test_not_a_token_classifier(options, parts, onnx_graph, tmp_path):
    onnx_graph(tmp_path / "model.onnx", **options)
    refuses(tmp_path / "model.onnx", tmp_path / "model.onnx", *parts)


def test_not_a_graph(tmp_path):
    path = tmp_path / "model.onnx"
    refuses(path, path, "openvino cannot load it", "Could not open the file")
    path.write_text("an LFS pointer", encoding="utf-8")
    refuses(path, path, "openvino cannot load it", "ask for --device cpu")


@pytest.mark.parametrize("graph", [{"vocabulary": 14}, {"positions": 15}])
def test_an_id_beyond_a_table_is_found_although_openvino_says_nothing_of_it(graph, model_folder):
    model = ModelFiles.from_pretrained(model_folder(**graph))
    OnnxSession(model.graph, device="openvino").run(np.full((1, 16), 14))
    with pytest.raises(ModelError, match="a trial run on 16 word pieces of id 14"):
        TokenClassifier(model, device="openvino")


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"^--device openvino: .* pip install 'cytotag\[openvino\]', or ask for --dev"):
        import_openvino()


def test_its_import_calls_nobody(onnx_graph, tmp_path):
    """`import openvino` alone would send an event to Google Analytics, from a thread of its own."""
    onnx_graph(tmp_path / "model.onnx")
    script = (
        "import sys; from pathlib import Path; from actors.onnx_session import OnnxSession;"
        "OnnxSession(Path(sys.argv[1]), device='openvino');"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry.')], 'openvino' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "model.onnx"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[] True\n"
