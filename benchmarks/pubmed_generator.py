"""A small PubMed of our own: a baseline, update files with revisions and deletions, and the truth about all of it.

The same arguments make the same bytes. PMIDs that mean something else stand about as in the real files: of corrections,
of references, and of earlier versions.

    python -m benchmarks.pubmed_generator FOLDER --files 10 --citations 30000 --updates 5
"""

import gzip
import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from xml.sax.saxutils import escape

import typer

YEAR = 26
HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
    '"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n<PubmedArticleSet>\n'
)
GENES = ("IL-2", "TNF-alpha", "NF-kappa B", "GATA-1", "c-Myc", "p53", "IFN-gamma", "HIV-1 LTR", "CD4", "β-globin")
CELLS = ("Jurkat cells", "human monocytes", "HeLa cells", "activated T cells", "K562 cells", "naïve B lymphocytes")
VERBS = ("activates", "represses", "binds", "is expressed in", "was not detected in", "induces apoptosis of")
SECTIONS = (("OBJECTIVE", "OBJECTIVE"), ("MATERIALS & METHODS", "METHODS"), ("RESULTS", "RESULTS"))
MATH = (
    '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML">\n  <mml:msup>\n    <mml:mi>χ</mml:mi>\n'
    "    <mml:mn>2</mml:mn>\n  </mml:msup>\n</mml:math>"
)


REVISED, DELETED = 0.1, 0.03
"""Of the records of an update file so many stand in place of an earlier one; and so many citations are taken back."""
TWO_VERSIONS = 0.02
"""Of the records of any file so many have a second version behind them."""


@dataclass(kw_only=True)
class Truth:
    """What a set of files comes to.

    Attributes:
        baseline: The baseline files, in number order.
        updates: The update files, in number order.
        texts: Title and abstract of each citation that is left in the end, by PMID.
        sources: The name of the file that has the last word on each of them, by PMID.
        records: The number of records in each file, by its name.
        superseded: The number of records that a later one takes the place of, deleted in between or not.
        deleted: The number of other records that a later file, or their own, takes back.
        unknown_deletions: The number of PMIDs that are deleted and were never there.
    """

    baseline: list[Path] = field(default_factory=list)
    updates: list[Path] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    superseded: int = 0
    deleted: int = 0
    unknown_deletions: int = 0


def write_baseline(
    folder: Path, *, files: int = 2, citations: int = 20, updates: int = 2, seed: int = 0, sentences: int = 6
) -> Truth:
    """Writes baseline files and update files, and their `.md5` files.

    Args:
        folder: Where to; is made where it is not there.
        files: The number of baseline files.
        citations: PMIDs in each file.
        updates: The number of update files. Half of the citations that one deletes stand again in the next.
        seed: The same one makes the same files.
        sentences: Of an abstract, about.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)  # noqa: S311  # no cryptography
    truth = Truth()
    next_pmid = 10_000_001
    gone: list[int] = []
    for number in range(1, files + updates + 1):
        path = folder / f"pubmed{YEAR}n{number:04d}.xml.gz"
        (truth.baseline if number <= files else truth.updates).append(path)
        known = list(map(int, truth.texts)) if number > files else []
        again = gone[: len(gone) // 2]
        pmids = chance.sample(known, min(len(known), round(citations * REVISED))) + again
        pmids += range(next_pmid, next_pmid + citations - len(pmids))
        next_pmid = max(next_pmid, max(pmids) + 1)
        chance.shuffle(pmids)
        gone = chance.sample(known, min(len(known), round(citations * DELETED)))
        with _Writer(path) as writer:
            writer.write(HEAD)
            for pmid in pmids:
                for version in (1, 2) if chance.random() < TWO_VERSIONS else (1,):
                    xml, text = _citation(chance, pmid, version, sentences)
                    writer.write(xml)
                    truth.records[path.name] = truth.records.get(path.name, 0) + 1
                    truth.superseded += str(pmid) in truth.texts
                    truth.texts[str(pmid)], truth.sources[str(pmid)] = text, path.name
            if number > files:
                writer.write(_deletions([*gone, number]))
            writer.write("</PubmedArticleSet>\n")
        for _ in again:  # what was deleted has a later record now
            truth.superseded, truth.deleted = truth.superseded + 1, truth.deleted - 1
        for pmid in gone:
            del truth.texts[str(pmid)], truth.sources[str(pmid)]
        truth.deleted += len(gone)
        truth.unknown_deletions += number > files
    return truth


def _deletions(pmids: list[int]) -> str:
    names = "".join(f'<PMID Version="2">{pmid}</PMID>\n' for pmid in pmids)
    return f"<DeleteCitation>\n{names}</DeleteCitation>\n"


class _Writer:
    """Writes a gzip file that is the same whenever it is written, and its `.md5` file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> "_Writer":
        self._raw = self._path.open("wb")
        self._file = gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, compresslevel=6, mtime=0)
        return self

    def write(self, text: str) -> None:
        self._file.write(text.encode())

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.close()
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        self._path.with_name(f"{self._path.name}.md5").write_text(f"MD5({self._path.name})= {digest}\n")


def _citation(chance: random.Random, pmid: int, version: int, sentences: int) -> tuple[str, str]:
    """The XML of a citation, and the text that a reader should get."""
    title, title_xml = _sentence(chance, pmid, version)
    lines, xml = [title], []
    if chance.random() < 0.9:
        labels = SECTIONS if chance.random() < 0.3 else (None,)
        for label in labels:
            count = max(1, round(chance.uniform(0.5, 1.5) * sentences / len(labels)))
            parts = [_sentence(chance, pmid, version) for _ in range(count)]
            lines.append(" ".join(text for text, _ in parts))
            attributes = f' Label="{escape(label[0])}" NlmCategory="{label[1]}"' if label else ""
            xml.append(f"<AbstractText{attributes}>{' '.join(part for _, part in parts)}</AbstractText>\n")
    abstract = (
        f"<Abstract>\n{''.join(xml)}<CopyrightInformation>© Nobody.</CopyrightInformation></Abstract>" if xml else ""
    )
    references = "".join(
        f'<Reference><Citation>Blood. 1999;{i}.</Citation><ArticleIdList><ArticleId IdType="pubmed">'
        f"{chance.randint(1, 40_000_000)}</ArticleId></ArticleIdList></Reference>"
        for i in range(chance.choice((0, 0, 5, 30)))
    )
    return (
        f"""<PubmedArticle>
  <MedlineCitation Status="MEDLINE" Owner="NLM" VersionDate="2012/02/14">
    <PMID Version="{version}">{pmid}</PMID>
    <DateRevised><Year>2025</Year><Month>12</Month><Day>01</Day></DateRevised>
    <Article PubModel="Print"><Journal><Title>The Journal of Tests</Title></Journal>
      <ArticleTitle>{title_xml}</ArticleTitle>
      {abstract}
      <AuthorList><Author><LastName>Núñez</LastName><ForeName>Zoë</ForeName></Author></AuthorList>
      <Language>eng</Language>
    </Article>
    <CommentsCorrectionsList><CommentsCorrections RefType="UpdateIn">
      <RefSource>Blood</RefSource><PMID Version="1">{chance.randint(1, 40_000_000)}</PMID>
    </CommentsCorrections></CommentsCorrectionsList>
  </MedlineCitation>
  <PubmedData><PublicationStatus>ppublish</PublicationStatus>
    <ArticleIdList><ArticleId IdType="pubmed">{pmid}</ArticleId></ArticleIdList>
    <ReferenceList>{references}</ReferenceList></PubmedData>
</PubmedArticle>
""",
        "\n".join(lines),
    )


def _sentence(chance: random.Random, pmid: int, version: int) -> tuple[str, str]:
    """A sentence as text and as XML."""
    gene, verb, cell = chance.choice(GENES), chance.choice(VERBS), chance.choice(CELLS)
    dose = f"{chance.randint(1, 99)} µM, study {pmid}-{version}"
    text, xml = f"{gene} {verb} {cell} at {dose}.", f"<i>{gene}</i> {verb}\n      {cell} at {dose}."
    match chance.randrange(8):
        case 0:
            return f"{text} χ2 and p < 0.05.", f"{xml} {MATH} and p &lt; 0.05."
        case 1:
            return f"{text} CD4+ at 10-9 M.", f"{xml} <b>CD4<sup>+</sup></b> at 10<sup>-9</sup>&#x20;M."
    return text, xml


def main(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files go.")],
    files: Annotated[int, typer.Option(min=1, help="Baseline files.")] = 2,
    citations: Annotated[int, typer.Option(min=1, help="Records of a file.")] = 30_000,
    updates: Annotated[int, typer.Option(min=0, help="Update files.")] = 2,
    seed: Annotated[int, typer.Option(help="Another one, other files.")] = 0,
) -> None:
    """Write PubMed-like files."""
    truth = write_baseline(folder, files=files, citations=citations, updates=updates, seed=seed)
    typer.echo(
        f"{sum(truth.records.values()):,} records: {len(truth.texts):,} to tag, {truth.superseded:,} superseded, "
        f"{truth.deleted:,} deleted; {truth.unknown_deletions:,} deletions of unknown PMIDs"
    )


if __name__ == "__main__":
    typer.run(main)
