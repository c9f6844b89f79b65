"""One ONNX Runtime session: word piece ids in, logits out."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from actors.execution_providers import Device, resolve_execution_provider
from actors.model_files import ModelError, first_line

Ids = npt.NDArray[np.int64]


class OnnxSession:
    """A token classification graph, loaded.

    Args:
        path: The ONNX file.
        device: Where it runs; never anywhere else.
        threads: Threads of one run. They are the CPUs that the actor reserves; ONNX Runtime heeds no OMP_NUM_THREADS.

    Raises:
        ModelError: The file is not an ONNX graph, or not one of a token classifier, or its device is not there.
    """

    def __init__(self, path: Path, *, device: Device = "cpu", threads: int = 1) -> None:
        provider = resolve_execution_provider(device)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other actors want the CPU
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
        except Exception as error:  # ONNX Runtime's own exceptions have no common class
            raise ModelError(
                f"{path}: onnxruntime cannot load it ({first_line(error)}); export the model again"
            ) from None
        if self._session.get_providers()[0] != provider:
            raise ModelError(f"--device {device}: {provider} did not start; is the driver installed? (nothing was run)")
        inputs = self._session.get_inputs()
        self._inputs = {node.name for node in inputs}
        unknown = self._inputs - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown or "input_ids" not in self._inputs:
            raise ModelError(
                f"{path}: its inputs are {', '.join(sorted(self._inputs))}; a token classifier takes input_ids, "
                f"attention_mask and token_type_ids"
            )
        if types := sorted({node.type for node in inputs} - {"tensor(int64)"}):
            raise ModelError(f"{path}: its inputs are of type {', '.join(types)}; export the model with int64 inputs")
        fixed = [node.name for node in inputs if any(isinstance(size, int) for size in node.shape)]
        if fixed:
            raise ModelError(f"{path}: the shape of {', '.join(fixed)} is fixed; export the model with dynamic axes")
        outputs = [node.name for node in self._session.get_outputs()]
        if "logits" not in outputs and len(outputs) > 1:
            raise ModelError(f"{path}: its outputs are {', '.join(outputs)}; call that with the logits `logits`")
        self._output = "logits" if "logits" in outputs else outputs[0]
        self._run_options = onnxruntime.RunOptions()
        self._run_options.log_severity_level = 4  # what goes wrong is raised; no need to print it too

    def run(self, input_ids: Ids) -> npt.NDArray[np.float32]:
        """The logits of a batch without padding.

        Args:
            input_ids: *Shape:* (batch, pieces), int64.

        Returns:
            *Shape:* (batch, pieces, labels), float32.
        """
        feeds = {"input_ids": input_ids}
        if "attention_mask" in self._inputs:
            feeds["attention_mask"] = np.ones_like(input_ids)
        if "token_type_ids" in self._inputs:
            feeds["token_type_ids"] = np.zeros_like(input_ids)
        (logits,) = self._session.run([self._output], feeds, self._run_options)
        return np.asarray(logits, dtype=np.float32)
