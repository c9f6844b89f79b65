"""The bodies of requests and answers: what FastAPI checks, and what stands in the OpenAPI document."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictStr,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from actors.model_files import ModelFiles
from pipelines.compatibility import policy_of, threshold_of
from pipelines.outputs.manifest import installed_version
from pipelines.serving.options import AnswerFormat, ServeOptions
from pipelines.tag_schemes import TagScheme

EXAMPLE = "IL-2 mRNA was found in Jurkat cells, but NF-kappa B was not."
SECOND_EXAMPLE = "The human GM-CSF promoter binds GATA-1 in T lymphocytes."
STREAM_EXAMPLE = f'{{"document_id": "a", "text": "{EXAMPLE}"}}\n{{"document_id": "b", "text": "{SECOND_EXAMPLE}"}}\n'

NAME_CHARACTERS = 1_000
"""Of an id, or the name of an entity."""

KEEP = "Keep these entities only."
DROP = "Drop chunks that score less; 0 keeps all. By default the model's own."

Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
StrictScore = Annotated[Score, Field(strict=True)]
Name = Annotated[StrictStr, Field(max_length=NAME_CHARACTERS)]


def _id_as_string(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or isinstance(value, str):
        return value
    raise PydanticCustomError("document_id", "give a string or an integer")


DocumentId = Annotated[
    Name | None,
    BeforeValidator(_id_as_string),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "maxLength": NAME_CHARACTERS}, {"type": "integer"}, {"type": "null"}]}
    ),
]


ONE_OF_BOTH: list[JsonValue] = [
    {"required": ["text"], "properties": {"text": {"type": "string"}}},
    {"required": ["documents"], "properties": {"documents": {"type": "array"}}},
]


class Document(BaseModel):
    """A document to tag; the limit of its text is that of the endpoint (`document_model`).

    What else stands in it is passed over, so that the lines of a corpus can be sent as they are.
    """

    document_id: DocumentId = Field(None, description="Yours; the document's number, from 1, if not given or empty.")
    text: StrictStr = Field(description="What to tag. It may be empty.")


class StreamQuery(BaseModel):
    """What a stream is asked for, in its query."""

    model_config = ConfigDict(extra="forbid")

    entities: list[Name] | None = Field(None, min_length=1, description=KEEP)
    threshold: Score = Field(0.0, description=DROP)


class TagRequest(BaseModel):
    """What both ways of asking have in common, and the check that one of them was taken."""

    model_config = ConfigDict(extra="forbid")

    text: StrictStr | None = Field(None, description="One text; or give `documents`.")
    documents: list[Document] | None = Field(None, description="Several documents; or give `text`.")
    entities: list[Name] | None = Field(None, min_length=1, description=KEEP)
    threshold: StrictScore = Field(0.0, description=DROP)
    entity_thresholds: dict[Name, StrictScore] = Field({}, description="Thresholds of single entities.")
    format: AnswerFormat = Field("json", description="Of the answer; brat is a zip of .txt and .ann files.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "TagRequest":
        if (self.text is None) == (self.documents is None):
            raise ValueError("give either `text` or `documents`")
        return self


def document_model(options: ServeOptions) -> type[Document]:
    """A document with the limits of this endpoint."""
    text = Field(max_length=options.characters, description=Document.model_fields["text"].description)
    return create_model(
        "Document",
        __base__=Document,
        __doc__="A document to tag. What else stands in it is passed over.",
        text=(StrictStr, text),
    )


def _one_of(entities: Collection[str]) -> Any:
    """The type of an entity's name; that it is one of the model's is checked later (`ner_converter`)."""
    return Annotated[Name, Field(json_schema_extra={"enum": list(entities)})]


def stream_query(entities: Collection[str], threshold: float) -> type[StreamQuery]:
    """The query with the entities of this endpoint, and its model's threshold."""
    kept: Any = (list[_one_of(entities)] | None, Field(None, min_length=1, description=KEEP))  # type: ignore[misc]
    least: Any = (Score, Field(threshold, description=DROP))
    return create_model(
        "StreamQuery", __base__=StreamQuery, __doc__=StreamQuery.__doc__, entities=kept, threshold=least
    )


def tag_request(options: ServeOptions, entities: Collection[str], threshold: float) -> type[TagRequest]:
    """The request with the limits of this endpoint, and the entities and the threshold of its model.

    So they stand in its OpenAPI document.
    """
    document = document_model(options)
    examples: list[JsonValue] = [
        {"text": EXAMPLE},
        {
            "documents": [
                {"document_id": "a", "text": EXAMPLE},
                {"document_id": "b", "text": SECOND_EXAMPLE},
            ],
            "entities": ["protein", "RNA"],
            "threshold": 0.5,
        },
    ]
    fields: dict[str, Any] = {
        "text": (
            StrictStr | None,
            Field(None, max_length=options.characters, description=TagRequest.model_fields["text"].description),
        ),
        "documents": (
            list[document] | None,  # type: ignore[valid-type]  # made just now
            Field(
                None,
                min_length=1,
                max_length=options.documents,
                description=TagRequest.model_fields["documents"].description,
            ),
        ),
        "entities": (
            list[_one_of(entities)] | None,  # type: ignore[misc]  # made just now
            Field(None, min_length=1, description=KEEP),
        ),
        "threshold": (StrictScore, Field(threshold, description=DROP)),
        "entity_thresholds": (
            dict[_one_of(entities), StrictScore],  # type: ignore[misc]  # made just now
            Field({}, description=TagRequest.model_fields["entity_thresholds"].description),
        ),
    }
    request = create_model("TagRequest", __base__=TagRequest, __doc__="Documents to tag.", **fields)
    request.model_config["json_schema_extra"] = {"examples": examples, "oneOf": ONE_OF_BOTH}
    return request


class Span(BaseModel):
    """Half-open code-point offsets into the document's text."""

    start: int
    end: int


class Chunk(BaseModel):
    """An entity that was found: `text` is the document's text from `start` to `end`, in code points."""

    sentence_id: int
    chunk_id: int
    start: int
    end: int
    text: str
    entity: str
    score: float


class TaggedDocument(BaseModel):
    """A document with what was found in it; `error` says why one could not be tagged."""

    document_id: str
    sentences: list[Span]
    chunks: list[Chunk]
    error: str | None


class TagResponse(BaseModel):
    """The documents of the request, in its order."""

    documents: list[TaggedDocument]


class BiocCollection(BaseModel):
    """The documents of the request as BioC, in JSON (format `bioc`)."""

    source: str
    date: str
    key: str
    version: str
    infons: dict[str, str]
    documents: list[dict[str, JsonValue]]


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


class FieldProblem(BaseModel):
    """What is wrong with a field, and where it is."""

    loc: list[str | int]
    msg: str
    type: str


class InvalidRequest(BaseModel):
    """Every field that is wrong."""

    detail: list[FieldProblem]


class ModelDescription(BaseModel):
    """The model, and what a request may ask of it."""

    name: str
    sha256: str
    entities: list[str]
    labels: list[str]
    max_length: int
    tag_policy: str
    threshold: float = Field(description="What a chunk must score unless a request says otherwise.")
    compat: str | None = Field(description="The program whose behaviour is copied; null for none.")
    version: str = Field(description="Of cytotag.")
    limits: dict[str, int]
    formats: list[str]

    @classmethod
    def of(cls, model: ModelFiles, options: ServeOptions) -> Self:
        """Describes an endpoint."""
        return cls(
            name="embedded" if options.model is None else Path(model.folder).name,
            sha256=model.sha256(),
            entities=list(TagScheme.of(model.labels, policy_of(model, options.compat)).entities),
            labels=list(model.labels),
            max_length=model.max_length,
            tag_policy=policy_of(model, options.compat),
            threshold=threshold_of(model, options.compat),
            compat=options.compat,
            version=installed_version("cytotag"),
            limits={name: getattr(options, name) for name in ("documents", "characters", "body_bytes", "stream_bytes")},
            formats=list(get_args(AnswerFormat)),
        )


class Status(BaseModel):
    """How it is."""

    status: str
