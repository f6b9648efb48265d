"""Videos of a rate that varies, written by hand: OpenCV writes none."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np


def write_mkv(
    path: Path,
    pictures: Sequence[np.ndarray],
    times_ms: Sequence[int],
    created: float | None = None,
) -> Path:
    """Write Matroska, each picture a JPEG in a cluster of its own."""
    height, width = pictures[0].shape[:2]
    info = element(0x2AD7B1, number(1_000_000)) + element(
        0x4489, struct.pack('>d', times_ms[-1] + 40.0)
    )
    if created is not None:
        info += element(0x4461, struct.pack('>q', round((created - 978307200) * 1e9)))
    video = element(0xE0, element(0xB0, number(width)) + element(0xBA, number(height)))
    entry = element(0xD7, number(1)) + element(0x73C5, number(1)) + element(0x83, number(1))
    track = element(0xAE, entry + element(0x86, b'V_MJPEG') + video)
    clusters = b''.join(
        element(
            0x1F43B675,
            element(0xE7, number(moment)) + element(0xA3, b'\x81\x00\x00\x80' + jpeg(picture)),
        )
        for picture, moment in zip(pictures, times_ms)
    )
    head = element(0x1A45DFA3, element(0x4282, b'matroska') + element(0x4287, number(4)))
    segment = element(0x1549A966, info) + element(0x1654AE6B, track) + clusters
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + element(0x18538067, segment))
    return path


def element(kind: int, content: bytes) -> bytes:
    name = kind.to_bytes((kind.bit_length() + 7) // 8, 'big')
    return name + (len(content) | 1 << 56).to_bytes(8, 'big') + content


def number(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), 'big')


def write_mp4(
    path: Path,
    pictures: Sequence[np.ndarray],
    times_ms: Sequence[int],
    created: float | None = None,
) -> Path:
    """Write MP4, each picture a JPEG, the times in its table of durations (stts)."""
    data = [jpeg(picture) for picture in pictures]
    head = box('ftyp', b'isom\0\0\2\0isomiso2')
    offset = len(head) + 8
    offsets = [offset + sum(map(len, data[:n])) for n in range(len(data))]
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = pictures[0].shape[:2]
    moov = _moov(shape, [len(d) for d in data], offsets, times_ms, created)
    path.write_bytes(head + box('mdat', b''.join(data)) + moov)
    return path


def box(kind: str, content: bytes) -> bytes:
    return struct.pack('>I4s', 8 + len(content), kind.encode()) + content


def _moov(
    shape: tuple[int, int],
    sizes: list[int],
    offsets: list[int],
    times_ms: Sequence[int],
    created: float | None,
) -> bytes:
    stamp = 0 if created is None else round(created) + 2_082_844_800
    durations = [*np.diff(times_ms).tolist(), 40]
    total, count = sum(durations), len(sizes)
    matrix = struct.pack('>9I', 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    size = struct.pack('>HH', shape[1], shape[0])
    visual = bytes(6) + b'\0\1' + bytes(16) + size + struct.pack('>IIIH', 72 << 16, 72 << 16, 0, 1)
    entry = box('jpeg', visual + bytes(32) + struct.pack('>Hh', 24, -1))
    stts = b''.join(struct.pack('>II', 1, duration) for duration in durations)
    tables = (
        box('stsd', struct.pack('>II', 0, 1) + entry)
        + box('stts', struct.pack('>II', 0, count) + stts)
        + box('stsc', struct.pack('>IIIII', 0, 1, 1, 1, 1))
        + box('stsz', struct.pack('>III', 0, 0, count) + struct.pack(f'>{count}I', *sizes))
        + box('stco', struct.pack('>II', 0, count) + struct.pack(f'>{count}I', *offsets))
    )
    dinf = box('dinf', box('dref', struct.pack('>II', 0, 1) + box('url ', b'\0\0\0\1')))
    minf = box('minf', box('vmhd', b'\0\0\0\1' + bytes(8)) + dinf + box('stbl', tables))
    mdhd = box('mdhd', struct.pack('>IIIIIHH', 0, stamp, stamp, 1000, total, 0x55C4, 0))
    hdlr = box('hdlr', bytes(8) + b'vide' + bytes(12) + b'video\0')
    tkhd = struct.pack('>IIIIIIQHHHH', 3, stamp, stamp, 1, 0, total, 0, 0, 0, 0, 0) + matrix
    tkhd += struct.pack('>II', shape[1] << 16, shape[0] << 16)
    trak = box('trak', box('tkhd', tkhd) + box('mdia', mdhd + hdlr + minf))
    mvhd = struct.pack('>IIIIIIHHQ', 0, stamp, stamp, 1000, total, 1 << 16, 1 << 8, 0, 0)
    return box('moov', box('mvhd', mvhd + matrix + bytes(24) + struct.pack('>I', 2)) + trak)


def jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode('.jpg', picture)[1].tobytes()
