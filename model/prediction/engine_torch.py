"""The reference engine: PyTorch, in float32; on a GPU where there is one."""

import warnings
from hashlib import sha256
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from model.prediction.errors import ModelInvalid
from model.prediction.lite0 import ARCHITECTURE
from model.prediction.models import CONFIG_FILE, SCRIPT_FILE, Model
from model.prediction.network import EfficientNetLite0, fold_batch_norm, use_channels_last
from model.prediction.network_dense import DenseLite0

BATCH_PATCHES = 32  # see engine.py


def load_network(model: Model) -> EfficientNetLite0:
    """The model's net as it was trained (batch norms unfolded), in evaluation mode and float32."""
    net = DenseLite0() if model.dense else EfficientNetLite0()
    try:
        net.load_state_dict(load_file(model.weights_path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelInvalid(
            f"{model.weights_file} of model '{model.folder.name}' does not hold an {ARCHITECTURE}.",
            "Copy the whole folder again.",
        ) from error
    return net.float().eval()


def load_script(model: Model) -> torch.jit.ScriptModule:
    """The model's TorchScript program, on the CPU; exactly the bytes whose hash is named."""
    # Read once: a file exchanged after load_model looked at it is not run.
    code = model.weights_path.read_bytes()
    if sha256(code).hexdigest() != model.weights_sha256:
        raise ModelInvalid(
            f"{SCRIPT_FILE} of model '{model.folder.name}' is being changed.", "Start again."
        )
    try:
        with warnings.catch_warnings():
            # PyTorch advises against TorchScript for new models; WSInfer's exist.
            warnings.simplefilter("ignore", DeprecationWarning)
            script: torch.jit.ScriptModule = torch.jit.load(BytesIO(code), map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise ModelInvalid(
            f"{SCRIPT_FILE} of model '{model.folder.name}' is no TorchScript archive.",
            "Copy the whole folder again.",
        ) from error
    script.eval()
    return script


def resize_patches(patches: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Patches (n, side_px, side_px, 3) by Pillow's bilinear filter, which WSInfer resizes with."""
    size = (side_px, side_px)
    resized = [Image.fromarray(each).resize(size, Image.Resampling.BILINEAR) for each in patches]
    return np.stack([np.asarray(each) for each in resized])


def tumour_logits(outputs: Tensor, model: Model, patches: int) -> Tensor:
    """Log odds (n,) of tumour against all else, from what a program gave for n patches."""
    if outputs.numel() != patches * model.classes or outputs.shape[0] != patches:
        raise ModelInvalid(
            f"Model '{model.folder.name}' answers {tuple(outputs.shape)} for {patches} patches, not"
            f" a logit for each of its {model.classes} classes.",
            f"Correct num_classes in {CONFIG_FILE}, or use another model.",
        )
    logits = outputs.float().reshape(patches, model.classes)
    tumour = logits[:, model.tumour_index]
    if model.classes == 1:
        return tumour
    # softmax(logits)[tumour] = sigmoid(tumour − logsumexp(others))
    others = [index for index in range(model.classes) if index != model.tumour_index]
    return tumour - torch.logsumexp(logits[:, others], 1)


def scale_patches(patches: NDArray[np.uint8], model: Model) -> Tensor:
    """The net's input (n, 3, h, w) in channels-last memory from uint8 patches (n, h, w, 3)."""
    # A copy: views made by slicing a slide region are not contiguous and may be read-only.
    batch = torch.from_numpy(np.array(patches, dtype=np.uint8, order="C")).permute(0, 3, 1, 2)
    mean = torch.tensor(model.mean).view(3, 1, 1) * 255
    std = torch.tensor(model.std).view(3, 1, 1) * 255
    return batch.float().sub_(mean).div_(std)


class TorchNet:
    """A model's net, its norms folded. Safe to share between threads."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if model.scripted:
            self._net: nn.Module = load_script(model)  # on the CPU: nothing is known of it
            self._device = torch.device("cpu")
            return
        self._net = load_network(model)
        fold_batch_norm(self._net)
        use_channels_last(self._net)
        self._net.to(self._device)

    @torch.inference_mode()
    def patches(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See Net.patches."""
        batches = range(0, len(patches), BATCH_PATCHES)
        scored = [self._batch(patches[start : start + BATCH_PATCHES]) for start in batches]
        return torch.cat(scored).numpy() if scored else np.empty(0, np.float32)

    @torch.inference_mode()
    def shared(self, regions: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See Net.shared."""
        maps: NDArray[np.float32] = self._dense().shared(self._scaled(regions)).cpu().numpy()
        return maps

    @torch.inference_mode()
    def rest(self, squares: NDArray[np.float32]) -> NDArray[np.float32]:
        """See Net.rest."""
        net, logits = self._dense(), []
        for start in range(0, len(squares), BATCH_PATCHES):
            batch = torch.from_numpy(np.ascontiguousarray(squares[start : start + BATCH_PATCHES]))
            batch = batch.to(self._device, memory_format=torch.channels_last)
            logits.append(net.rest(batch).cpu())
        return torch.cat(logits).numpy()

    def _dense(self) -> DenseLite0:
        assert isinstance(self._net, DenseLite0)
        return self._net

    def _scaled(self, patches: NDArray[np.uint8]) -> Tensor:
        return scale_patches(patches, self._model).to(self._device)

    def _batch(self, patches: NDArray[np.uint8]) -> Tensor:
        model = self._model
        if not model.scripted:
            logits: Tensor = self._net(self._scaled(patches))
            return logits.cpu()
        if model.resized_px:
            patches = resize_patches(patches, model.resized_px)
        try:
            outputs = self._net(scale_patches(patches, model).contiguous())
        except RuntimeError as error:
            raise ModelInvalid(
                f"{SCRIPT_FILE} of model '{model.folder.name}' fails on its patches.",
                f"Compare patch size and transform in {CONFIG_FILE} with its description.",
            ) from error
        return tumour_logits(outputs, model, len(patches))
