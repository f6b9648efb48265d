"""Memory of predicting pictures, in a process that does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import torch
from mmengine.config import Config

from mmclsa.engine.methods.prediction import load_predictor, read_pictures
from mmclsa.errors import DataError
from mmclsa.registry import MODELS
from mmclsa.utils.io import write_json
from mmclsa.utils.resident import resident_gib

__all__ = ['main', 'measure_memory']


def measure_memory(
    cfg: Config, weights: str, folder: str | Path, pictures: int, device: str, threads: int
) -> float:
    """Measure the peak memory of a model that predicts pictures one by one.

    In a process of its own. On a CPU it is the process's resident memory above
    what it had before the model was built, so that Python and its libraries do
    not count; on a GPU the peak of PyTorch's allocations there.

    Args:
        cfg: Config of the model.
        weights: Its checkpoint, or empty.
        folder: For the process's config, log and answer.
        pictures: Number of pictures.
        device: Where.
        threads: Threads of PyTorch on a CPU.

    Returns:
        MiB.

    Raises:
        DataError: If the process fails; the message names its log.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config, answer, log = folder / 'memory.py', folder / 'memory.json', folder / 'memory.log'
    cfg.dump(config)
    answer.unlink(missing_ok=True)
    words = [config, weights, answer, pictures, device, threads]
    command = [sys.executable, '-m', 'mmclsa.engine.methods', *map(str, words)]
    with open(log, 'w') as stream:
        code = subprocess.run(command, stdout=stream, stderr=stream, check=False).returncode
    if code or not answer.is_file():
        raise DataError(f'the process that measures memory ended with code {code}, see {log}')
    return float(json.loads(answer.read_text())['mib'])


def main(arguments: list[str]) -> None:
    """Measure what ``CONFIG WEIGHTS ANSWER PICTURES DEVICE THREADS`` names."""
    config, weights, answer, count, device, threads = arguments
    torch.set_num_threads(int(threads))
    cfg = Config.fromfile(config)
    pictures = read_pictures(cfg, int(count))
    _import_everything()
    before = resident_gib('VmRSS')
    predictor = load_predictor(cfg, weights, pictures, torch.device(device))
    # A checkpoint is in memory twice while it is read; the kernel forgets that peak.
    with suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5')
    if torch.device(device).type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
    predictor.predict_all()
    mib = 1024 * (resident_gib('VmHWM') - before)
    if torch.device(device).type == 'cuda':
        mib = torch.cuda.max_memory_allocated(device) / 2**20
    write_json(answer, dict(mib=mib))


def _import_everything() -> None:
    """Load what would otherwise be loaded with the first model, and count as its memory."""
    MODELS.import_from_location()
    import_module('mmdet.models')
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.LazyLinear(4)
    )
    with torch.no_grad():
        layers(torch.zeros(1, 3, 32, 32))
