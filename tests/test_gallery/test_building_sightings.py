"""What a build makes of the people of a video: one row a track, or one a detection."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rich.console import Console

from mmclsa.errors import ConfigError
from mmclsa.evaluation.functional.pairs import count_pairs
from mmclsa.gallery import GalleryIndex
from mmclsa.gallery.building import (
    BuildCommand,
    BuildFile,
    InProcess,
    SourceOptions,
    open_for_build,
    plan_units,
    print_report,
)
from mmclsa.gallery.building.crops import CROP_SIDE, cut_crop
from mmclsa.gallery.building.quality import detection_quality, visible_parts
from mmclsa.gallery.building.sightings import fuse_embeddings
from mmclsa.gallery.building.spool import pack_results, unpack_results
from mmclsa.structures import PairCounts
from tests.fakes.footage import write_scenes, write_video
from tests.test_gallery.fakes import FakeEmbedder
from tests.test_gallery.test_building_builder import build

DETECTIONS = SourceOptions(unit='detection')


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp('footage') / 'v.avi', 40)


def result_of(source, options=None, **kwargs):
    (result,) = InProcess(FakeEmbedder(), options or SourceOptions(), **kwargs).results(
        plan_units([source])
    )
    return result


def same_results(one, other) -> bool:
    arrays = ('frames', 'times', 'boxes', 'scores', 'embeddings', 'track_ids')
    frames = ('frames', 'times', 'boxes', 'scores')
    return (
        all(np.array_equal(getattr(one, n), getattr(other, n), equal_nan=True) for n in arrays)
        and list(one.crops) == list(other.crops)
        and len(one.behind) == len(other.behind)
        and all(
            a is b is None or all(np.array_equal(getattr(a, n), getattr(b, n)) for n in frames)
            for a, b in zip(one.behind, other.behind)
        )
        and (one.pairs is other.pairs is None)
    ) or (
        np.array_equal(one.pairs.same, other.pairs.same)
        and np.array_equal(one.pairs.different, other.pairs.different)
        and one.pairs.num_tracks == other.pairs.num_tracks
    )


class TestSightings:
    def test_a_row_is_a_track_of_the_detections(self, video):
        """A literal loop over the detection rows of the same video."""
        rows, sightings = result_of(video, DETECTIONS), result_of(video)
        tracks = sorted(set(rows.track_ids.tolist()))
        assert len(tracks) < len(rows.scores)
        assert sightings.track_ids.tolist() == tracks
        assert sightings.num_detections == rows.num_detections == len(rows.scores)
        for number, track in enumerate(tracks):
            members = [n for n in range(len(rows.scores)) if rows.track_ids[n] == track]
            quality = [self.quality(rows, n) for n in members]
            best = members[int(np.argmax(quality))]
            mean = sum(q * rows.embeddings[n].astype(float) for q, n in zip(quality, members))
            assert np.allclose(sightings.embeddings[number], mean / np.linalg.norm(mean), atol=1e-6)
            for name in ('frames', 'times', 'boxes', 'scores'):
                assert np.array_equal(getattr(sightings, name)[number], getattr(rows, name)[best])
            behind, stay = sightings.behind[number], sightings.stay(number)
            if len(members) == 1:
                assert behind is stay is None
                continue
            for name in ('frames', 'times', 'boxes', 'scores'):
                assert np.array_equal(getattr(behind, name), getattr(rows, name)[members])
            assert (stay.first_frame, stay.last_frame) == tuple(behind.frames[[0, -1]])
            assert (stay.time_from, stay.time_to) == tuple(behind.times[[0, -1]])
            assert stay.num_frames == len(members)

    def quality(self, rows, number: int) -> float:
        there = np.flatnonzero(rows.frames == rows.frames[number])
        values = detection_quality(rows.boxes[there], rows.scores[there], (64, 96))
        return float(values[there.tolist().index(number)])

    def test_embeddings_are_of_unit_length(self, video):
        lengths = np.linalg.norm(result_of(video).embeddings, axis=1)
        assert np.allclose(lengths, 1, atol=1e-6)

    @pytest.mark.parametrize('options', [SourceOptions(), DETECTIONS])
    def test_batches_do_not_matter(self, video, options):
        one, many = (result_of(video, options, batch_size=size) for size in (1, 7))
        assert same_results(one, many)

    @pytest.mark.parametrize(
        'options', [SourceOptions(), DETECTIONS], ids=['sighting', 'detection']
    )
    def test_pairs_are_of_the_detections(self, video, options):
        rows, pairs = result_of(video, DETECTIONS), result_of(video, options).pairs
        expected = count_pairs(
            rows.frames,
            rows.track_ids,
            rows.embeddings,
            rows.times,
            boxes=rows.boxes,
            fused=options.unit == 'sighting',
        )
        assert expected.different.sum() > 0
        assert np.array_equal(pairs.same, expected.same)
        assert np.array_equal(pairs.different, expected.different)

    def test_in_a_picture_a_row_is_a_detection(self, tmp_path):
        (path,) = write_scenes(tmp_path, 1, first=1)
        result = result_of(path)
        assert set(result.track_ids.tolist()) == {-1}
        assert not result.behind
        assert result.pairs is None
        assert len(result.crops) == len(result.scores) > 1

    def test_nobody(self, tmp_path):
        writer = cv2.VideoWriter(
            str(tmp_path / 'v.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10, (96, 64)
        )
        for _ in range(5):
            writer.write(np.zeros((64, 96, 3), np.uint8))
        writer.release()
        result = result_of(tmp_path / 'v.avi')
        assert result.num_pictures == 5
        assert len(result.scores) == result.num_detections == 0


class TestFusing:
    def test_by_hand(self):
        fused = fuse_embeddings(np.eye(3), np.array([1.0, 2.0, 2.0]))
        assert np.allclose(fused, np.array([1, 2, 2]) / 3)
        assert fused.dtype == np.float32

    def test_scale_of_the_weights_does_not_matter(self):
        rng = np.random.default_rng(0)
        vectors, weights = rng.normal(size=(5, 8)), rng.uniform(0.1, 1, 5)
        assert np.allclose(fuse_embeddings(vectors, weights), fuse_embeddings(vectors, 9 * weights))

    def test_opposites_leave_the_heavier(self):
        opposite = np.array([[1.0, 0], [-1, 0]])
        assert fuse_embeddings(opposite, np.array([1.0, 1 + 1e-9])).tolist() == [-1, 0]


class TestQuality:
    def test_who_is_in_front_hides(self):
        boxes = np.array([[0, 0, 10, 20], [5, 0, 15, 30], [100, 0, 110, 20]])
        assert visible_parts(boxes).tolist() == [0.5, 1.0, 1.0]

    def test_order(self):
        """Certain, visible and whole is better than either without."""
        size = (100, 200)
        boxes = np.array([[50, 20, 70, 60], [0, 20, 20, 60], [120, 20, 140, 60], [125, 0, 145, 80]])
        whole, cut, hidden, _ = detection_quality(boxes, np.full(4, 0.9), size)
        assert whole == pytest.approx(2 * cut, rel=0.01)
        assert whole > hidden > 0
        (uncertain,) = detection_quality(boxes[:1], np.array([0.5]), size)
        assert whole > uncertain
        assert (detection_quality(boxes, np.zeros(4), size) > 0).all()


class TestCrops:
    @staticmethod
    def read(jpeg: bytes) -> np.ndarray:
        return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)

    def test_shows_the_best_detection(self, video):
        """Each crop has the colour of its box in the frame that its row names."""
        pictures = {}
        capture = cv2.VideoCapture(str(video))
        for number in range(40):
            pictures[number] = capture.read()[1]
        for options in (SourceOptions(), DETECTIONS):
            result = result_of(video, options)
            assert len(result.crops) == len(result.scores)
            for frame, box, jpeg in zip(result.frames.tolist(), result.boxes, result.crops):
                x1, y1, x2, y2 = (box + np.array([4, 4, -4, -4])).astype(int)
                shown = self.read(jpeg)[8:-8, 8:-8].mean(axis=(0, 1))
                expected = pictures[frame][y1:y2, x1:x2].mean(axis=(0, 1))
                assert np.abs(shown - expected).max() < 6

    def test_size_and_margin(self):
        picture = np.zeros((1000, 1000, 3), np.uint8)
        large = self.read(cut_crop(picture, np.array([100, 100, 300, 900])))
        assert max(large.shape) == CROP_SIDE == 256
        assert large.shape[1] == pytest.approx(256 / 4, abs=1)
        small = self.read(cut_crop(picture, np.array([100, 100, 120, 140])))
        assert small.shape == (44, 22, 3)
        corner = self.read(cut_crop(picture, np.array([-50, -50, 20, 40])))
        assert corner.shape[:2] == (45, 24)
        assert cut_crop(picture, np.array([-50, -50, -20, -10])) == b''

    def test_none_if_not_asked_for(self, video, tmp_path):
        (path,) = write_scenes(tmp_path, 1)
        for source in (video, path):
            assert not result_of(source, SourceOptions(crops=False)).crops


class TestOnTheWay:
    @pytest.mark.parametrize(
        'options', [SourceOptions(), DETECTIONS, SourceOptions(crops=False)], ids=str
    )
    def test_spool_keeps_all(self, video, tmp_path, options):
        write_scenes(tmp_path, 2)
        results = list(InProcess(FakeEmbedder(), options).results(plan_units([video, tmp_path])))
        for one, two in zip(results, unpack_results(pack_results(results))):
            assert same_results(one, two)

    def test_single_detections_alone(self, video):
        result = result_of(video)
        alone = replace(result, behind=[None] * len(result.scores), pairs=PairCounts())
        assert same_results(alone, unpack_results(pack_results([alone]))[0])

    def test_index_holds_them(self, video, tmp_path):
        build(tmp_path / 'index', video)
        result = result_of(video)
        with GalleryIndex.open(tmp_path / 'index') as index:
            records = index.records()
            assert [r.track_id for r in records] == result.track_ids.tolist()
            assert [r.stay for r in records] == [result.stay(n) for n in range(len(records))]
            assert index.crops(index.rows()) == dict(enumerate(result.crops))
            assert len(index.behind(0).frames) == records[0].num_frames > 1
            assert index.pair_counts().different.sum() == result.pairs.different.sum()

    def test_report_counts_both(self, video, tmp_path):
        report, _ = build(tmp_path / 'index', video)
        result = result_of(video)
        assert (report.people, report.detections) == (len(result.scores), result.num_detections)
        console = Console(file=io.StringIO(), width=200)
        print_report(report, 7, console)
        printed = console.file.getvalue()
        people, detections = len(result.scores), result.num_detections
        assert f'40 pictures, {people} sightings of people from {detections} detections' in printed
        assert '7 rows in the index' in printed


class TestUnitOfAnIndex:
    def open(self, path, append=False, **options):
        build_file = BuildFile('', '/a.pth', commands=(BuildCommand(('/c',), **options),))
        open_for_build(path, FakeEmbedder().fingerprint, build_file, append).close()

    def test_stays(self, tmp_path):
        self.open(tmp_path, unit='sighting', crops=True)
        assert BuildFile.read(tmp_path).commands[0].unit == 'sighting'
        with pytest.raises(ConfigError, match='is a sighting, not a detection: give --unit sight'):
            self.open(tmp_path, append=True, unit='detection')
        self.open(tmp_path, append=True, unit='sighting', every=2)
        assert len(BuildFile.read(tmp_path).commands) == 2

    def test_of_an_older_mmclsa_is_detection(self, tmp_path):
        self.open(tmp_path)
        text = (tmp_path / BuildFile.NAME).read_text()
        assert '"unit": "detection"' in text
        older = text.replace('"unit": "detection",', '').replace('"crops": false', '"every": 1')
        (tmp_path / BuildFile.NAME).write_text(older)
        assert BuildFile.read(tmp_path).commands[0].unit == 'detection'
        with pytest.raises(ConfigError, match='--unit detection'):
            self.open(tmp_path, append=True, unit='sighting')

    def test_unknown(self):
        with pytest.raises(ConfigError, match="sighting, detection, but is 'track'"):
            SourceOptions(unit='track')
