"""Pictures and videos of bright and dark quarters."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def scene(seed: int, size: tuple[int, int] = (64, 96)) -> np.ndarray:
    """Quarters of random brightness, (H, W, 3)."""
    quarters = np.random.default_rng(seed).integers(0, 256, (2, 2, 3)).astype(np.uint8)
    quarters[0, 0] = 200  # somebody is always there
    return np.repeat(np.repeat(quarters, size[0] // 2, axis=0), size[1] // 2, axis=1)


def write_scenes(folder: Path, count: int, first: int = 0) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'{number:04d}.png' for number in range(first, first + count)]
    for path in paths:
        write(path, scene(int(path.stem)))
    return paths


def write(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path


def write_video(path: Path, frames: int, fps: float = 10.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), fps, (96, 64))
    for number in range(frames):
        writer.write(scene(number // 5))
    writer.release()
    return path
