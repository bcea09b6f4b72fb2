"""One of several processes that train together; started by torchrun from a test.

Arguments: study, folder for results, JSON of changed settings. Each process leaves its own net and
the gradients of one batch.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from model.training.batches import Batches
from model.training.log import Log
from model.training.patches import scaled
from model.training.processes import joined
from model.training.run import from_manifest, run
from model.training.train import begin, train
from tests.training_studies import toy


def gradients(config, patches, processes) -> dict[str, Tensor]:
    """Of the first batch, in double precision: rounding cannot hide or feign a difference."""
    state = begin(config, 0, processes)
    torch.nn.init.normal_(state.net.logit.weight)
    net = processes.wrap(state.net.double())
    views, targets = Batches(patches, config, 0, processes)[0]
    logits = net(scaled(views.double()))
    weights = torch.tensor(patches.class_weights, dtype=torch.float64)[targets.long()]
    functional.binary_cross_entropy_with_logits(logits, targets.double(), weights).backward()
    return {name: each.grad.contiguous() for name, each in state.net.named_parameters()}


def main(study: Path, out: Path, changes: str) -> None:
    config = toy(**json.loads(changes))
    with joined() as processes:
        sources = from_manifest(config, study / "manifest.parquet", study / "split.json")
        found = gradients(config, sources[0], processes)
        save_file(found, out / f"gradients-{processes.rank}.safetensors")
        net = train(config, 0, *sources, Log(None), processes=processes)
        weights = {name: value.contiguous() for name, value in net.state_dict().items()}
        save_file(weights, out / f"rank-{processes.rank}.safetensors")
        run(config, sources, out / "model", processes=processes)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
