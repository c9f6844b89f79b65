"""Which hardware runs the model. What is asked for and not there is an error: nothing falls back."""

from typing import Literal

import onnxruntime

from actors.model_files import ModelError

Device = Literal["cpu", "cuda"]

PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def resolve_execution_provider(device: Device) -> str:
    """The ONNX Runtime execution provider of a device.

    Raises:
        ModelError: There is no such device, or the installed ONNX Runtime has no provider for it.
    """
    if device not in PROVIDERS:
        raise ModelError(f"device {device!r}: not one of {', '.join(PROVIDERS)}")
    provider = PROVIDERS[device]
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise ModelError(
            f"--device {device}: the installed onnxruntime has no {provider} (it has {', '.join(available)}); "
            f"install onnxruntime-gpu in place of onnxruntime, or ask for --device cpu"
        )
    return provider
