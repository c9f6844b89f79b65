"""What a run is told to do: frozen, checked on construction."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.execution_providers import GPU_DEVICES, Device
from actors.session_options import SessionOptions

TASK_CPUS = 0.5
"""CPUs that Ray reserves for a read, map or write task. Not a whole number, as an actor's are: Ray runs a task inside
the actor that follows it when both ask for the same."""

GPU_BATCH_SIZE = 1024

LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LABEL_KEY = re.compile(rf"([a-z0-9.-]+/)?{LABEL_VALUE.pattern}")
"""What Kubernetes, and so Ray, takes for the labels of a node."""


class ConfigError(ValueError):
    """Settings that cannot work, or not on this machine; the message has the arithmetic and says what to change."""


class RunStoppedError(RuntimeError):
    """A run that broke off on its way; the message says why, and how to go on."""


@dataclass(frozen=True, kw_only=True)
class ActorPool:
    """How many actors hold a model, and what each may use.

    Attributes:
        min_size: Actors that are started first.
        max_size: Actors that the pool may grow to.
        threads: Threads, and so CPUs, of each.
        device: Where their model runs; an actor on `cuda` or `tensorrt` has a GPU of its own.
        session_options: How it computes.
        labels: Of the nodes that the actors may run on; with none, any node.
        option: What the user calls their number.
    """

    min_size: int
    max_size: int
    threads: int = 1
    device: Device = "cpu"
    session_options: SessionOptions = field(default_factory=SessionOptions)
    labels: Mapping[str, str] = field(default_factory=dict)
    option: str = "--actors"

    def __post_init__(self) -> None:
        """Checks the sizes, and that the device knows the session's options."""
        if not 1 <= self.min_size <= self.max_size:
            raise ConfigError(f"{self.option} {self.min_size}:{self.max_size}: give N or MIN:MAX, with 1 <= MIN <= MAX")
        if self.threads < 1:
            raise ConfigError(f"--threads {self.threads}: an actor needs 1 thread or more")
        self.session_options.refuse_unless_for(self.device)

    @property
    def gpus(self) -> int | None:
        """GPUs of each actor."""
        return 1 if self.device in GPU_DEVICES else None

    @property
    def batch_size(self) -> int | None:
        """Documents that an actor is handed at once; None for a block as it comes, which Ray refuses with a GPU."""
        return GPU_BATCH_SIZE if self.device in GPU_DEVICES else None

    @classmethod
    def parse(
        cls,
        actors: str | None,
        *,
        threads: int,
        device: Device,
        session_options: SessionOptions | None = None,
        labels: Mapping[str, str] | None = None,
        option: str = "--actors",
    ) -> "ActorPool":
        """A pool from `N` or `MIN:MAX`; from None one of a single actor, to be filled when the nodes are known.

        Raises:
            ConfigError: `actors` is neither.
            ModelError: The device does not know one of the session's options.
        """
        try:
            sizes = [int(size) for size in ("1" if actors is None else actors).split(":")]
        except ValueError:
            sizes = []
        if len(sizes) not in (1, 2):
            raise ConfigError(f"{option} {actors}: give N or MIN:MAX, such as 4 or 2:8")
        return cls(
            min_size=sizes[0],
            max_size=sizes[-1],
            threads=threads,
            device=device,
            session_options=session_options or SessionOptions(),
            labels=labels or {},
            option=option,
        )


def parse_labels(labels: str) -> dict[str, str]:
    """Node labels from `pool=gpu` or `pool=cpu,zone=a`.

    Raises:
        ConfigError: A part is not `KEY=VALUE`, or a key is named twice.
    """
    parsed: dict[str, str] = {}
    for part in labels.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (equals and LABEL_KEY.fullmatch(key) and LABEL_VALUE.fullmatch(value)):
            raise ConfigError(f"--labels {labels}: {part!r} is not KEY=VALUE, such as pool=gpu")
        if key in parsed:
            raise ConfigError(f"--labels {labels}: two values for {key}; leave one out")
        parsed[key] = value
    return parsed


def parse_names(names: str) -> frozenset[str]:
    """The names of a list such as `protein,DNA`."""
    return frozenset(name.strip() for name in names.split(",") if name.strip())


def parse_thresholds(thresholds: str) -> tuple[float | None, dict[str, float]]:
    """A threshold for all if there is one, and those of single entities: `0.5`, `RNA=0.3,DNA=0.6` or `0.5,RNA=0.3`.

    Raises:
        ConfigError: A part is neither a number nor `ENTITY=number`, or one of the numbers is given twice.
    """
    for_all, by_entity = [], {}
    for part in thresholds.split(","):
        entity, equals, number = part.rpartition("=")
        try:
            score = float(number)
        except ValueError:
            raise ConfigError(f"--threshold {thresholds}: {part!r} is not a number or ENTITY=number") from None
        if entity.strip() in by_entity:
            raise ConfigError(f"--threshold {thresholds}: two numbers for {entity.strip()}; leave one out")
        if equals:
            by_entity[entity.strip()] = score
        else:
            for_all.append(score)
    if len(for_all) > 1:
        raise ConfigError(f"--threshold {thresholds}: two numbers for all entities; name the entity, as in DNA=0.6")
    return (for_all[0] if for_all else None), by_entity
