"""Which module may import which (docs/design.md, D1), and how large a file may be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipelines", "actors")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
STAGES = [path for path in MODULES if path.parent.name == "stages" and path.stem != "__init__"]
MAY_IMPORT_RAY = {
    f"pipelines/{name}.py"
    for name in (
        "corpora/source",
        "outputs/sink",
        "outputs/metrics",
        "ner",
        "poison_guard",
        "local_ray",
        "job",
        "serve",
        "endpoint_session",
    )
}
LARGEST = 300
READERS_OF_EVALUATING = {"gold", "predictions"}
COMMAND_LINE = {"pipelines.__main__", "pipelines.commands", "pipelines.terminal", "pipelines.tables"}
WIRING = {
    "pipelines.job",
    "pipelines.citations",
    "pipelines.resuming",
    "pipelines.run_log",
    "pipelines.ner",
    "pipelines.light",
    "pipelines.serve",
    "pipelines.endpoint_session",
    "pipelines.local_ray",
}
OUTPUTS_OF_EXPORTS = {"chunk_rows", "manifest", "output_error"}
ROOMS_OF_MODELS = ("models", "corpora", "outputs.manifest", "outputs.output_error", "preparation", "tag_schemes")
ROOMS_OF_MODELS += ("stages.tokenizer", "pages.example_texts")
ROOMS_OF_SERVING = ("serving", "stages", "exports", "pages", "corpora.records", "outputs.manifest")
ROOMS_OF_SERVING += ("compatibility", "schema", "config", "tag_schemes", "placement", "preparation")


def relative(path):
    return path.relative_to(ROOT).as_posix()


def module_name(path):
    return relative(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(source):
    """Every module that a source imports, wherever in it; `from a import b` may mean the module `a.b`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            found |= {name} | {f"{name}.{alias.name}" for alias in node.names}
    return found


def imported(path, *packages):
    return sorted(
        name
        for name in imports(path.read_text(encoding="utf-8"))
        if any(f"{name}.".startswith(f"{p}.") for p in packages)
    )


every_module = pytest.mark.parametrize("path", MODULES, ids=relative)
every_stage = pytest.mark.parametrize("path", STAGES, ids=relative)


def test_the_walk_sees_imports_of_every_kind():
    source = "import a.b as c\nfrom d import e\ndef f():\n    from . import g\n    from .h import i\n"
    assert imports(source) == {"a.b", "d", "d.e", ".", "..g", ".h", ".h.i"}
    assert {"pipelines/ner.py", "actors/token_classifier.py"} <= set(map(relative, MODULES))
    assert len(STAGES) == 5
    assert imported(ROOT / "pipelines/ner.py", "ray")
    assert not imported(ROOT / "pipelines/ner.py", "r")


@every_module
def test_imports_are_absolute(path):
    assert not [name for name in imports(path.read_text(encoding="utf-8")) if name.startswith(".")]


@every_module
def test_no_module_needs_what_only_training_has(path):
    assert not imported(path, "training", "tests", "benchmarks")
    exporters = [f"pipelines.models.{name}" for name in ("torch_export", "tokenizer_conversion")]
    users = (*exporters, "pipelines.models.hugging_face")
    assert module_name(path) in exporters or not imported(path, "torch", "transformers")
    assert module_name(path) in users or not imported(path, *exporters)


@every_module
def test_graphs_are_edited_in_their_room_alone(path):
    """onnx is an extra: nothing that tags a text needs it."""
    name = module_name(path)
    if name.startswith("pipelines.models"):
        rooms = tuple(f"pipelines.{room}" for room in ROOMS_OF_MODELS)
        assert [of for of in imported(path, "pipelines") if not of.startswith(rooms)] == []
    else:
        assert not imported(path, "onnx", "onnxruntime.quantization", "onnxruntime.transformers")
        assert name == "pipelines.commands.model" or not imported(path, "pipelines.models")


@every_module
def test_ray_is_imported_by_the_wiring_alone(path):
    assert relative(path) in MAY_IMPORT_RAY or not imported(path, "ray")


@every_module
def test_matplotlib_draws_the_report_and_nothing_else(path):
    assert relative(path) == "pipelines/pages/report_plots.py" or not imported(path, "matplotlib")
    users = {"pipelines/pages/report.py", "pipelines/commands/report.py"}
    assert relative(path) in users or not imported(path, "pipelines.pages.report", "pipelines.pages.report_plots")


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent.name == "actors"], ids=relative)
def test_actors_know_nothing_of_the_pipeline(path):
    assert not imported(path, "pipelines", "ray")


@every_stage
def test_stages_are_pure(path):
    assert not imported(path, "ray", "onnxruntime", "actors", "pipelines.corpora", "pipelines.outputs")


@every_stage
def test_no_stage_imports_another(path):
    assert not imported(path, "pipelines.stages")


@every_module
def test_imports_go_one_way(path):
    """__main__ -> ner, light, job, exports -> corpora, outputs, stages, actors -> schema, config."""
    name = module_name(path)
    above = COMMAND_LINE if name in WIRING else COMMAND_LINE | WIRING
    if not name.startswith(tuple(COMMAND_LINE)):
        assert not imported(path, *above)
    if name.startswith("pipelines.corpora"):
        assert not imported(path, "pipelines.outputs", "pipelines.stages", "actors")
    if name.startswith("pipelines.outputs"):
        assert not imported(path, "pipelines.corpora", "pipelines.stages", "actors")
    if name.startswith("pipelines.exports"):
        assert not imported(path, "pipelines.corpora", "pipelines.stages", "actors")
        assert {of.split(".")[2] for of in imported(path, "pipelines.outputs")} <= OUTPUTS_OF_EXPORTS
    else:
        assert name.startswith((*COMMAND_LINE, "pipelines.serving")) or not imported(path, "pipelines.exports")
    assert name.startswith((*COMMAND_LINE, "pipelines.evaluating")) or not imported(path, "pipelines.evaluating")
    if name in ("pipelines.schema", "pipelines.config"):
        inside = ("actors.execution_providers", "actors.session_options")
        assert [of for of in imported(path, "pipelines", "actors") if not of.startswith(inside)] == []


@every_module
def test_the_endpoint_is_known_to_ray_serve_and_its_command_alone(path):
    name = module_name(path)
    if name.startswith("pipelines.serving"):
        rooms = tuple(f"pipelines.{room}" for room in ROOMS_OF_SERVING)
        assert [of for of in imported(path, "pipelines") if not of.startswith(rooms)] == []
    elif name not in ("pipelines.serve", "pipelines.endpoint_session", "pipelines.commands.serve"):
        assert not imported(path, "pipelines.serving", "fastapi", "starlette", "pydantic")


@pytest.mark.parametrize("name", ["chunk_statistics", "error_groups", "run_times"])
def test_the_numbers_of_a_report_read_nothing(name):
    found = imported(ROOT / f"pipelines/{name}.py", "pipelines", "actors")
    assert {one for one in found if not one.startswith(("pipelines.schema", "pipelines.outputs.part_note"))} == set()


@every_module
def test_the_comparison_of_datasets_is_known_to_its_command_alone(path):
    inside = module_name(path).startswith(("pipelines.comparing", "pipelines.commands.diff"))
    assert inside or not imported(path, "pipelines.comparing")


def test_pairs_and_settings_of_a_comparison_read_nothing():
    assert imported(ROOT / "pipelines/comparing/pairing.py", "pipelines", "actors") == []
    found = imported(ROOT / "pipelines/comparing/changes.py", "pipelines", "actors")
    allowed = ("pipelines.comparing.pairing", "pipelines.outputs.manifest")
    assert [one for one in found if not one.startswith(allowed)] == []


@pytest.mark.parametrize("name", ["verification", "row_checks", "verdict"])
def test_what_is_asked_of_a_dataset_reads_nothing(name):
    inside = {f"pipelines.outputs.{one}" for one in ("part_note", "coverage", "counts")} | {"pipelines.row_checks"}
    inside |= {"pipelines.schema"}
    found = imported(ROOT / f"pipelines/{name}.py", "pipelines", "actors")
    assert {one for one in found if not one.startswith(tuple(inside))} == set()


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.parent.name == "evaluating" and path.stem != "__init__"], ids=relative
)
def test_scores_are_computed_apart_from_what_is_read(path):
    inside = ("pipelines.evaluating", "pipelines.schema", "pipelines.nested_lists")
    if path.stem in READERS_OF_EVALUATING:
        inside += ("pipelines.corpora", "pipelines.outputs", "pipelines.storage", "pipelines.stages.document_assembler")
    assert [of for of in imported(path, "pipelines", "actors", "rich") if not of.startswith(inside)] == []
    others = {f"pipelines.evaluating.{name}" for name in READERS_OF_EVALUATING}
    assert not imported(path, *others)


@every_module
def test_files_are_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LARGEST


@every_module
def test_names_say_something(path):
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc"}


@every_module
def test_no_module_is_named_like_one_it_could_shadow(path):
    assert path.stem not in {"tokenizers", "ray", "types", "io", "logging", "onnxruntime"}


def test_tests_are_no_package():
    """A tests/pipelines/__init__.py would make `import pipelines` the tests'."""
    assert not list((ROOT / "tests").rglob("__init__.py"))


TAG_TEXT = "sys.argv = ['cytotag', 'tag', '--text', 'p53']; pipelines.__main__.main()"


@pytest.mark.parametrize(
    ("module", "then"),
    [("pipelines.light", "pass"), ("pipelines.__main__", "pass"), ("pipelines.__main__", TAG_TEXT)],
    ids=["light", "main", "tag --text"],
)
def test_one_text_needs_nothing_heavy(module, then):
    heavy = {"ray", "torch", "transformers", "onnx", "pandas", "matplotlib", "jinja2", "lxml"}
    heavy |= {"fastapi", "starlette", "pydantic", "prometheus_client", "pipelines.exports"}
    code = f"""import sys, {module}
try: {then}
except SystemExit: pass
print(*sorted({heavy} & set(sys.modules)), 'pyarrow' in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"


def test_pandas_can_be_imported_where_one_text_was_tagged():
    code = f"import sys, pipelines.__main__\ntry: {TAG_TEXT}\nexcept SystemExit: pass\nimport pandas, pyarrow\n"
    code += "print(len(pyarrow.table(pandas.DataFrame({'a': [1, 2]})).to_pandas()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "2"


def test_both_packages_are_those_of_this_checkout():
    for package in PACKAGES:
        module = __import__(package)
        assert Path(module.__file__).parents[1] == ROOT
