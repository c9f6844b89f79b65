"""Models as Spark NLP lays them out, written for the tests: the layout that it imports, and the bundles that it saves.

Nothing of the reader is used here. The bytes are what Java and Hadoop write: the tests hold them against a stream that
a JVM wrote. Not all that is written is what Spark writes: a broken bundle is one argument away.
"""

import json
import os
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

from benchmarks.random_bert import LABELS, TINY, save_graph, vocabulary

BERT = "com.johnsnowlabs.nlp.annotators.classifier.dl.BertForTokenClassification"
MEDICAL = "com.johnsnowlabs.nlp.annotators.classifier.dl.MedicalBertForTokenClassifier"
PIPELINE = "org.apache.spark.ml.PipelineModel"
SYNC = bytes(range(16))
NULL_WRITABLE, BYTES_WRITABLE = "org.apache.hadoop.io.NullWritable", "org.apache.hadoop.io.BytesWritable"


def modified_utf8(text):
    """Java's: each UTF-16 unit for itself, NUL as two bytes."""
    encoded = bytearray()
    units = text.encode("utf-16-be", "surrogatepass")
    for (unit,) in struct.iter_unpack(">H", units):
        if 0 < unit < 0x80:
            encoded.append(unit)
        elif unit < 0x800:
            encoded += bytes([0xC0 | unit >> 6, 0x80 | unit & 63])
        else:
            encoded += bytes([0xE0 | unit >> 12, 0x80 | unit >> 6 & 63, 0x80 | unit & 63])
    return bytes(encoded)


class JavaStream:
    """`java.io.ObjectOutputStream`: whatever was written before is referred back to."""

    def __init__(self):
        self.data = bytearray(b"\xac\xed\x00\x05")
        self.handles = {}
        self.count = 0

    def refer(self, key):
        """Writes a reference to what has this key, if it was written; else gives it a handle once `True` is heeded."""
        if key in self.handles:
            self.data += struct.pack(">Bi", 0x71, 0x7E0000 + self.handles[key])
            return True
        return False

    def hold(self, key):
        self.handles[key] = self.count
        self.count += 1

    def utf(self, text):
        encoded = modified_utf8(text)
        self.data += struct.pack(">H", len(encoded)) + encoded

    def string(self, text, key=None):
        """A string; one with the key of an earlier one is the same object."""
        key = ("string", key if key is not None else text)
        if self.refer(key):
            return
        encoded = modified_utf8(text)
        self.data += (
            struct.pack(">BH", 0x74, len(encoded)) if len(encoded) < 65536 else struct.pack(">Bq", 0x7C, len(encoded))
        )
        self.data += encoded
        self.hold(key)

    def description(self, name, serial, fields=(), parent=None):
        if self.refer(("class", name)):
            return
        self.data.append(0x72)
        self.utf(name)
        self.data += struct.pack(">q", serial)
        self.hold(("class", name))
        self.data += struct.pack(">BH", 2, len(fields))
        for kind, field in fields:
            self.data += kind.encode()
            self.utf(field)
            if kind == "L":
                self.string("Ljava/lang/Object;", key="type of a field")
        self.data.append(0x78)
        self.description(*parent) if parent else self.data.append(0x70)

    def integer(self, number, key=None):
        """A java.lang.Integer; small ones come out of Java's cache, so they are the same object."""
        key = ("integer", number if -128 <= number < 128 else key)
        if key[1] is not None and self.refer(key):
            return
        self.data.append(0x73)
        self.description(
            "java.lang.Integer", 0x12E2A0A4F7818738, [("I", "value")], ("java.lang.Number", -0x7953_6AE2_F46B_1F75)
        )
        self.hold(key)
        self.data += struct.pack(">i", number)

    def pairs(self, pairs, serial=0x2E94667D5B92F9F5):
        """`Array[(String, Integer)]`; equal pairs that stand in it twice as one object are one object here."""
        self.data.append(0x75)
        self.description("[Lscala.Tuple2;", 0x2ECC00DFD14FD7C0)
        self.hold(object())
        self.data += struct.pack(">i", len(pairs))
        for pair in pairs:
            if self.refer(("pair", id(pair))):
                continue
            self.data.append(0x73)
            self.description("scala.Tuple2", serial, [("L", "_1"), ("L", "_2")])
            self.hold(("pair", id(pair)))
            text, number = pair
            self.string(text, key=id(pair))
            self.integer(number)
        return bytes(self.data)


def java_pairs(pairs):
    return JavaStream().pairs(pairs)


def hadoop_text(text):
    encoded = text.encode()
    size = len(encoded)
    if size < 128:
        return bytes([size]) + encoded
    length = (size.bit_length() + 7) // 8
    return struct.pack("b", -112 - length) + size.to_bytes(length, "big") + encoded


def sequence_file(
    values, *, keys=NULL_WRITABLE, kind=BYTES_WRITABLE, version=6, codec=None, metadata=(), sync_after=2000
):
    """A SequenceFile with a sync mark wherever `sync_after` bytes were written since the last."""
    data = bytearray(b"SEQ" + bytes([version]) + hadoop_text(keys) + hadoop_text(kind))
    data += b"\1\0" + hadoop_text(codec) if codec else b"\0\0"
    data += struct.pack(">i", len(metadata)) + b"".join(hadoop_text(text) for entry in metadata for text in entry)
    data += SYNC
    last = len(data)
    for value in values:
        if len(data) - last >= sync_after:
            data += b"\xff\xff\xff\xff" + SYNC
            last = len(data)
        data += struct.pack(">iii", len(value) + 4, 0, len(value)) + value
    return bytes(data)


def write_checksum(path, block=512):
    """Hadoop's checksum file beside a file."""
    data = path.read_bytes()
    sums = [zlib.crc32(data[start : start + block]) for start in range(0, len(data), block)]
    (path.parent / f".{path.name}.crc").write_bytes(b"crc\0" + struct.pack(f">i{len(sums)}I", block, *sums))


def write_map(folder, pairs, *, parts=2, **options):
    """A map from strings to ids: records of up to ten pairs, in several part files, in no order of their ids."""
    folder.mkdir(parents=True)
    pairs = sorted(pairs, key=lambda pair: modified_utf8(pair[0])[::-1])
    size = -(-len(pairs) // parts) or 1
    for part in range(parts):
        mine = pairs[part * size : (part + 1) * size]
        records = [java_pairs(mine[start : start + 10]) for start in range(0, len(mine), 10)]
        path = folder / f"part-{part:05}"
        path.write_bytes(sequence_file(records, **options))
        write_checksum(path)
    (folder / "_SUCCESS").touch()


def write_metadata(folder, class_name, settings=None, defaults=None, uid="BERT_FOR_TOKEN_CLASSIFICATION_0c1d2e3f4a5b"):
    (folder / "metadata").mkdir(parents=True)
    content = {
        "class": class_name,
        "timestamp": 1700000000000,
        "sparkVersion": "3.5.0",
        "uid": uid,
        "paramMap": settings or {},
        "defaultParamMap": defaults or {},
    }
    path = folder / "metadata" / "part-00000"
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    write_checksum(path)
    (folder / "metadata" / "_SUCCESS").touch()


def zip_graph(graph, target, name="bert_classification_onnx", more=()):
    """The one-file zip that a graph is packed in, as Java streams it: the sizes stand behind the data."""

    class Stream:
        def __init__(self, file):
            self.write, self.flush = file.write, file.flush

    with target.open("wb") as file, zipfile.ZipFile(Stream(file), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path, stored in [(graph, name), *more]:
            with path.open("rb") as source, packed.open(stored, "w", force_zip64=True) as entry:
                shutil.copyfileobj(source, entry, 1 << 20)


def write_bundle(
    folder,
    *,
    graph=None,
    shape=TINY,
    labels=LABELS,
    pieces=None,
    class_name=BERT,
    settings=None,
    defaults=None,
    **options,
):
    """A bundle, by default of the tiny random model; `folder` itself."""
    pieces = vocabulary(shape.vocabulary) if pieces is None else pieces
    settings = {"engine": "onnx", "maxSentenceLength": 128, "caseSensitive": True, "batchSize": 8} | (settings or {})
    write_metadata(folder, class_name, {key: value for key, value in settings.items() if value is not None}, defaults)
    write_map(folder / "fields" / "vocabulary", [(piece, number) for number, piece in enumerate(pieces)], **options)
    write_map(folder / "fields" / "labels", [(label, number) for number, label in enumerate(labels)], **options)
    if graph is None:
        graph = folder / "graph"
        save_graph(graph, shape, labels=LABELS)
        zip_graph(graph, folder / "bert_classification_onnx")
        graph.unlink()
    else:
        zip_graph(graph, folder / "bert_classification_onnx")
    return folder


def write_pipeline(folder, stages):
    """A saved PipelineModel: `stages` are functions that write a bundle into the folder that they get, by its name."""
    write_metadata(folder, PIPELINE, {"stageUids": list(stages)}, uid="PipelineModel_1")
    for number, (uid, write) in enumerate(stages.items()):
        write(folder / "stages" / f"{number}_{uid}")
    return folder


def zip_folder(folder, target, prefix=""):
    """A zip of a folder, its tree at the top or below `prefix`."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for parent, _, names in os.walk(folder):
            for name in sorted(names):
                path = Path(parent) / name
                packed.write(path, prefix + path.relative_to(folder).as_posix())
    return target


def write_assets(folder, *, graph=None, shape=TINY, labels=LABELS, pieces=None, weights=None):
    """The layout that Spark NLP imports; `folder` itself."""
    (folder / "assets").mkdir(parents=True)
    if graph is None:
        save_graph(folder / "model.onnx", shape, weights=weights)
    else:
        shutil.copyfile(graph, folder / "model.onnx")
    pieces = vocabulary(shape.vocabulary) if pieces is None else pieces
    (folder / "assets" / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    (folder / "assets" / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    return folder


def link_model(source, folder):
    """The model folder that an import makes of what was read, but for what it does to the graph."""
    folder.mkdir()
    os.link(source.graph, folder / "model.onnx")
    for name, content in source.tokenizer_files.items():
        (folder / name).write_bytes(content)
    config = {**source.config, "id2label": dict(enumerate(source.labels))}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
