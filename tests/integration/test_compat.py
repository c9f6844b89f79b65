"""`--compat sparknlp` and `cytotag diff` as a user runs them, on a real Ray."""

import json

import pyarrow.dataset

from pipelines.light import LightPipeline

TEXTS = [
    "IL-2 mRNA in Jurkat cells. HTLV-II p24rex binds the IL-2 receptor alpha-chain promoter.",
    "",
    "IL-2 binds GATA-1, " * 40,
    "NF-kappa B binds DNA.",
]


def test_tagged_both_ways_counted_and_explained(cytotag, tmp_path):
    corpus, ours, theirs = tmp_path / "corpus.jsonl", tmp_path / "ours", tmp_path / "theirs"
    lines = (json.dumps({"document_id": str(i), "text": text}) for i, text in enumerate(TEXTS))
    corpus.write_text("\n".join(lines) + "\n", encoding="utf-8")
    compat = ("--compat", "sparknlp")
    cut = 40 * 4 - (25 * 4 + 1)  # of 40 times 4 words; 126 pieces are read, 5 each time, for "binds" is two
    for folder, options, counted in ((ours, (), 0), (theirs, compat, cut)):
        done = cytotag("tag", corpus, "--output", folder, *options)
        assert done.returncode == 0, done.stderr
        assert ("truncated" in done.stderr) == bool(counted)
        manifest = json.loads((folder / "_manifest.json").read_text(encoding="utf-8"))
        assert manifest["counts"]["truncated"] == counted
        assert manifest["settings"]["compat"] == (options[1] if options else None)
        assert cytotag("verify", folder, "--against", corpus).returncode == 0
        light = LightPipeline.from_pretrained(compat=manifest["settings"]["compat"])
        rows = pyarrow.dataset.dataset(folder).to_table().sort_by([("ordinal", "ascending"), ("chunk_id", "ascending")])
        found = [
            [row["document_id"], row["start"], row["end"], row["entity"], row["score"]] for row in rows.to_pylist()
        ]
        assert found == [
            [str(i), chunk["start"], chunk["end"], chunk["entity"], chunk["score"]]
            for i, chunks in enumerate(light.annotate(TEXTS))
            for chunk in chunks
        ]

    refused = cytotag("tag", corpus, "--output", theirs, "--resume")
    assert refused.returncode == 1
    assert "was begun with compat sparknlp, not None" in refused.stderr
    assert cytotag("tag", corpus, "--output", theirs, "--resume", *compat).returncode == 0

    done = cytotag("diff", ours, theirs, "--explain", "--json", tmp_path / "d.jsonl")
    assert (done.returncode, done.stderr) == (1, "")
    rows = [json.loads(line) for line in (tmp_path / "d.jsonl").read_text(encoding="utf-8").splitlines()]
    causes = {part for row in rows for part in row["cause"].split(" + ")}
    assert "limit" in causes
    told = {"other words", "first fragments", "first fragments elsewhere", "limit", "tag policy", "threshold"}
    assert causes <= told
    assert cytotag("diff", ours, ours).returncode == 0
