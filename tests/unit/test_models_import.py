"""`cytotag model import` of Hugging Face folders with a graph: what is made, and one broken thing a row."""

import json
import re
import shutil
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16

from actors.model_files import ModelError, ModelFiles
from actors.onnx_session import OnnxSession
from benchmarks.random_bert import LABELS, TINY, save_model
from pipelines.light import LightPipeline
from pipelines.models import onnx_file
from pipelines.models.importing import import_model
from pipelines.models.model_manifest import ModelManifest, hash_files
from pipelines.outputs.output_error import OutputError
from tests.spark_nlp_layouts import write_assets, write_bundle, zip_folder

TEXTS = ["the IL-2 gene is expressed in activated T cells", "NF-kappa B binds the promoter in Jurkat cells", "2"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("source") / "tiny", TINY)


@pytest.fixture
def source(tiny, tmp_path):
    """A copy to break."""
    return shutil.copytree(tiny, tmp_path / "source")


def change(path, **values):
    """Sets values of a JSON file; None takes one out."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content |= values
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}), encoding="utf-8")


def change_graph(path, edit):
    model = onnx.load(path)
    edit(model.graph)
    onnx.save(model, path)


def chunks(folder):
    found = LightPipeline.from_pretrained(folder).annotate(TEXTS)
    return [[(one["start"], one["end"], one["entity"], round(one["score"], 4)) for one in text] for text in found]


def test_tags_and_scores_leave_the_graph_and_they_are_those_of_the_original(source, tmp_path):
    manifest = import_model(source, tmp_path / "model")
    session = onnxruntime.InferenceSession(tmp_path / "model" / "model.onnx")
    assert [(one.name, one.type) for one in session.get_outputs()] == [
        ("tag_ids", "tensor(int32)"),
        ("scores", "tensor(float)"),
    ]
    assert session.get_modelmeta().custom_metadata_map["label_count"] == str(len(LABELS))
    assert chunks(tmp_path / "model") == chunks(source)
    assert any(chunks(source))
    kinds = [node.op_type for node in onnx.load(tmp_path / "model" / "model.onnx").graph.node]
    assert kinds.count("Attention") == kinds.count("BiasGelu") == TINY.layers
    assert kinds.count("InstanceNormalization") == 2 * TINY.layers + 1
    assert manifest == ModelManifest.read(tmp_path / "model")
    assert manifest.files == hash_files(tmp_path / "model")
    assert (manifest.origin, manifest.layout, manifest.precision) == (str(source), "Hugging Face, ONNX", "fp32")
    assert manifest.compared["pieces"] > 1000
    assert manifest.compared["largest_difference"] < 1e-5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "source"]


def test_a_graph_that_is_not_to_be_fused(cytotag, source, tmp_path):
    code, _, err = cytotag("model", "import", source, tmp_path / "model", "--no-fuse")
    assert (code, "not fused, as was asked" in err) == (0, True)
    nodes = onnx.load(tmp_path / "model" / "model.onnx").graph.node
    assert {node.domain for node in nodes} == {""}
    assert chunks(tmp_path / "model") == chunks(source)


@pytest.mark.parametrize("layout", ["assets", "bundle", "zip"])
def test_the_layouts_of_spark_nlp(tmp_path, layout, tiny):
    source = {"assets": write_assets, "bundle": write_bundle, "zip": write_bundle}[layout](tmp_path / "source")
    source = zip_folder(source, tmp_path / "source.zip") if layout == "zip" else source
    manifest = import_model(source, tmp_path / "model")
    assert manifest.layout.startswith("Spark NLP")
    assert chunks(tmp_path / "model") == chunks(tiny)


def test_weights_beside_the_graph(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(onnx_file, "LARGEST_FILE", 100_000)  # as if 2 GB were less
    source = write_assets(tmp_path / "source", weights="model.onnx_data")
    manifest = import_model(source, tmp_path / "model")
    assert {"model.onnx", "model.onnx.data"} <= set(manifest.files)
    assert manifest.files["model.onnx"]["bytes"] < 50_000
    assert chunks(tmp_path / "model") == chunks(tiny)


def test_what_was_imported_is_imported_again_as_it_is(source, tmp_path):
    import_model(source, tmp_path / "model")
    again = import_model(tmp_path / "model", tmp_path / "again")
    assert again.done == ("as it was: gives tag ids and scores already",)
    assert chunks(tmp_path / "again") == chunks(source)


def move_graph(folder):
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model.onnx")
    return folder


def two_graphs(folder):
    shutil.copyfile(folder / "model.onnx", folder / "model_other.onnx")
    return folder / "model.onnx"


def without_position_limit(folder):
    change(folder / "config.json", max_position_embeddings=None)
    change(folder / "tokenizer_config.json", model_max_length=None)
    return folder


def narrow_inputs(folder):
    def edit(graph):
        for one in graph.input:
            one.type.tensor_type.elem_type = TensorProto.INT32
            for node in graph.node:
                node.input[:] = [f"{one.name}_wide" if name == one.name else name for name in node.input]
            graph.node.insert(0, helper.make_node("Cast", [one.name], [f"{one.name}_wide"], to=TensorProto.INT64))

    change_graph(folder / "model.onnx", edit)
    return folder


def output_called(name):
    def edit_graph(graph):
        graph.node.append(helper.make_node("Identity", ["logits"], [name]))
        graph.output[0].name = name

    def edit(folder):
        change_graph(folder / "model.onnx", edit_graph)
        return folder

    return edit


def more_outputs(folder):
    def edit(graph):
        graph.node.append(helper.make_node("Identity", ["logits"], ["scores"]))
        graph.output.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "pieces", 12]))

    change_graph(folder / "model.onnx", edit)
    return folder


@pytest.mark.parametrize(
    "arrange",
    [move_graph, two_graphs, without_position_limit, narrow_inputs, output_called("scores"), more_outputs],
    ids=["onnx folder", "named file", "limit from the graph", "int32", "logits called scores", "more outputs"],
)
def test_other_arrangements(arrange, source, tmp_path, tiny):
    import_model(arrange(source), tmp_path / "model")
    assert chunks(tmp_path / "model") == chunks(tiny)
    assert {one.type for one in onnxruntime.InferenceSession(tmp_path / "model" / "model.onnx").get_inputs()} == {
        "tensor(int64)"
    }


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_softmax_and_argmax_in_each_version_of_onnx(opset, kind, model_folder, tmp_path):
    folder = model_folder({"id2label": {"0": "O", "1": "B-x", "2": "I-x"}}, {"do_lower_case": True}, output_type=kind)
    model = onnx.load(folder / "model.onnx")
    model.opset_import[0].version = opset
    onnx.save(model, folder / "model.onnx")
    import_model(folder, tmp_path / "made")
    ids = np.array([[2, 4, 5, 3], [2, 14, 9, 3]])
    before, after = (OnnxSession(path / "model.onnx").run(ids) for path in (folder, tmp_path / "made"))
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_allclose(before[1], after[1], atol=1e-6)


def half(path):
    onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=False), path)


def dynamic(path):
    quantize_dynamic(path, path)


@pytest.mark.parametrize(
    ("change", "precision", "part"),
    [(half, "fp16", "not fused: fp16 as it was"), (dynamic, "int8", "a sentence's tags may depend on the batch")],
)
def test_graphs_that_compute_in_something_else_stay_as_they_are(change, precision, part, source, tmp_path):
    change(source / "model.onnx")
    manifest = import_model(source, tmp_path / "model")
    assert manifest.precision == precision
    assert part in manifest.done[-1]
    made, before = chunks(tmp_path / "model"), chunks(source)
    assert [[one[:3] for one in text] for text in made] == [[one[:3] for one in text] for text in before]
    scores = ([one[3] for text in found for one in text] for found in (made, before))
    assert next(scores) == pytest.approx(next(scores), abs=1e-3)  # fp16 has three digits


def test_of_equally_probable_labels_the_lowest_is_the_tag(model_folder, tmp_path):
    folder = model_folder()
    change_graph(
        folder / "model.onnx",
        lambda graph: graph.initializer[[one.name for one in graph.initializer].index("table")].CopyFrom(
            numpy_helper.from_array(np.array([[1, 2, 2]] * 15, np.float32), "table")
        ),
    )
    import_model(folder, tmp_path / "made")
    tag_ids, scores = OnnxSession(tmp_path / "made" / "model.onnx").run(np.array([[2, 4, 3]]))
    assert tag_ids.tolist() == [[1, 1, 1]]
    np.testing.assert_allclose(scores, np.exp(2) / (np.exp(1) + 2 * np.exp(2)), rtol=1e-6)


def no_config(folder):
    (folder / "config.json").unlink()


def no_tokenizer(folder):
    (folder / "vocab.txt").unlink()


def no_graph(folder):
    (folder / "model.onnx").unlink()


def pickled(folder):
    no_graph(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02.")


def config(**values):
    return lambda folder: change(folder / "config.json", **values)


def settings(**values):
    return lambda folder: change(folder / "tokenizer_config.json", **values)


def not_onnx(folder):
    (folder / "model.onnx").write_bytes(b"no graph")


def fixed_shape(folder):
    def edit(graph):
        for one in graph.input:
            one.type.tensor_type.shape.dim[1].dim_value = 128

    change_graph(folder / "model.onnx", edit)


def input_called_words(folder):
    def edit(graph):
        graph.node.insert(0, helper.make_node("Identity", ["words"], ["input_ids"]))
        next(one for one in graph.input if one.name == "input_ids").name = "words"

    change_graph(folder / "model.onnx", edit)


def outputs_without_logits(folder):
    def edit(graph):
        for name in ("first", "second"):
            graph.node.append(helper.make_node("Identity", ["logits"], [name]))
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "pieces", 12]))
        del graph.output[0]

    change_graph(folder / "model.onnx", edit)


def not_a_number(folder):
    def edit(graph):
        bias = next(one for one in graph.initializer if one.name == "classifier.bias")
        bias.CopyFrom(numpy_helper.from_array(np.full(12, np.nan, np.float32), bias.name))

    change_graph(folder / "model.onnx", edit)


def pieces(edit):
    def break_it(folder):
        path = folder / "vocab.txt"
        path.write_text("\n".join(edit(path.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")

    return break_it


def tokenizer_json(folder):
    """A tokenizer that puts nothing around a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    (folder / "vocab.txt").unlink()
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))


NAMES = {str(number): label for number, label in enumerate(LABELS)}
SWAPPED = {label: {0: 1, 1: 0}.get(number, number) for number, label in enumerate(LABELS)}
BROKEN = {
    "no config": (no_config, "no config.json"),
    "no tokenizer": (no_tokenizer, "neither tokenizer.json nor vocab.txt"),
    "no graph": (no_graph, "no model.onnx, no onnx/model.onnx and no model.safetensors"),
    "pickled weights": (pickled, "weights are pickled (pytorch_model.bin)", "save them as model.safetensors"),
    "several graphs": (two_graphs, "holds model.onnx, model_other.onnx; name the one you want"),
    "not ONNX": (not_onnx, "model.onnx", "not an ONNX file"),
    "no labels": (config(id2label=None), "no `id2label`"),
    "labels contradict": (config(label2id=SWAPPED), "`id2label` has 'O' as number 0, `label2id` as 1"),
    "one label less": (
        config(id2label={k: v for k, v in NAMES.items() if k != "11"}, label2id=None),
        "output is of shape",
        "name 11 labels",
    ),
    "nameless labels": (
        config(id2label={k: f"LABEL_{k}" for k in NAMES}, label2id=None),
        "LABEL_0, LABEL_11",
        "put the names into `id2label`",
    ),
    "no tag scheme": (
        config(id2label=NAMES | {"11": "X"}, label2id=None),
        "the label 'X' has no prefix",
        "call it [X]",
    ),
    "fixed shape": (fixed_shape, "is fixed; export the model with dynamic axes"),
    "input names": (input_called_words, "its inputs are", "words", "a token classifier takes input_ids"),
    "output names": (outputs_without_logits, "its outputs are first, second", "`logits`"),
    "not a number": (not_a_number, "not finite"),
    "position limit": (
        config(max_position_embeddings=600),
        "`max_position_embeddings` is 600",
        "128 rows of positions",
    ),
    "vocabulary too large": (
        pieces(lambda words: [*words, *(f"##more{i}" for i in range(10))]),
        "the tokenizer has 610 word pieces, model.onnx 600 rows",
    ),
    "vocabulary too small": (
        pieces(lambda words: words[:300]),
        "the tokenizer has 300 word pieces, model.onnx 600 rows",
    ),
    "no [SEP]": (pieces(lambda words: [w.replace("[SEP]", "[END]") for w in words]), "vocab.txt", "no [SEP] in it"),
    "special tokens": (tokenizer_json, "tokenizer.json", "puts no special token before a text"),
    "padding": (
        lambda folder: (settings(pad_token="[PAD]")(folder), config(pad_token_id=5)(folder)),  # noqa: S106
        "`pad_token_id` is 5",
        "[PAD] as 0",
    ),
    "token of the settings": (settings(cls_token="<cls>"), "has no <cls>", "`cls_token`"),  # noqa: S106
    "casing of a vocabulary": (settings(do_lower_case=True), "word pieces have capitals", '"do_lower_case": false'),
    "casing not said": (settings(do_lower_case=None), "word pieces have capitals", '"do_lower_case": false'),
    "casing kept": (
        pieces(
            lambda words: [w if w.startswith("[") else f"##{i}q" if w != w.lower() else w for i, w in enumerate(words)]
        ),
        "no word piece has any",
        '"do_lower_case": true',
    ),
    "tag policy": (config(tag_policy="best"), "`tag_policy` is 'best'"),
}


@pytest.mark.parametrize(("break_it", "parts"), [(row[0], row[1:]) for row in BROKEN.values()], ids=list(BROKEN))
def test_what_is_broken_is_refused_in_one_line_and_nothing_is_written(break_it, parts, source, tmp_path):
    break_it(source)
    with pytest.raises(ModelError) as caught:
        import_model(source, tmp_path / "model")
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in parts), message
    assert re.search(rf"{re.escape(str(source))}\b", message), message
    assert ".tmp" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_source_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="not there; name a model folder"):
        import_model(tmp_path / "nothing", tmp_path / "model")


def test_weights_without_torch(source, tmp_path, monkeypatch):
    no_graph(source)
    (source / "model.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match=re.escape("pip install torch==2.13.0")):
        import_model(source, tmp_path / "model")


def test_an_older_tokenizer_without_transformers(source, tmp_path, monkeypatch):
    (source / "vocab.txt").rename(source / "spm.model")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelError, match=r"has no tokenizer\.json.*'\.\[export\]'"):
        import_model(source, tmp_path / "model")


def test_the_folder_to_make(source, tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "notes.txt").write_text("mine", encoding="utf-8")
    for overwrite, message in ((False, "is not empty"), (True, r"holds notes\.txt and no model")):
        with pytest.raises(OutputError, match=message):
            import_model(source, target, overwrite=overwrite)
    (target / "notes.txt").unlink()
    first = import_model(source, target)
    with pytest.raises(OutputError, match="replace the model in it with --overwrite"):
        import_model(source, target)
    change(source / "config.json", tag_policy="strict")
    second = import_model(source, target, overwrite=True)
    assert first.files["config.json"] != second.files["config.json"] == hash_files(target)["config.json"]
    with pytest.raises(OutputError, match="holds what the model is made from"):
        import_model(target, target, overwrite=True)
    with pytest.raises(OutputError, match="is a file"):
        import_model(source, source / "config.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "source"]


def test_a_failed_import_leaves_the_model_that_was_there(source, tmp_path):
    import_model(source, tmp_path / "model")
    before = hash_files(tmp_path / "model")
    not_a_number(source)
    with pytest.raises(ModelError):
        import_model(source, tmp_path / "model", overwrite=True)
    assert hash_files(tmp_path / "model") == before


def test_the_command(cytotag, source, tmp_path):
    code, out, err = cytotag("model", "import", source, tmp_path / "model")
    assert (code, out) == (0, "")
    for part in ("Hugging Face, ONNX, fp32", "2 attention", "same tags as the original on", "allowed: 0.001"):
        assert part in err
    code, out, err = cytotag("model", "import", source, tmp_path / "model")
    assert (code, out) == (1, "")
    assert err.startswith(f"cytotag: {tmp_path / 'model'}: is not empty")


def test_the_command_without_its_extra(cytotag, source, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    code, _, err = cytotag("model", "import", source, tmp_path / "model")
    assert (code, err) == (1, "cytotag: cytotag model needs sympy; pip install '.[models]'\n")


def test_settings_that_name_code_are_not_kept(source, tmp_path):
    change(source / "config.json", auto_map={"AutoModel": "evil.Model"}, _name_or_path="/home/me")
    import_model(source, tmp_path / "model")
    kept = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    assert not {"auto_map", "_name_or_path"} & kept.keys()
    assert ModelFiles.from_pretrained(tmp_path / "model").labels == LABELS
