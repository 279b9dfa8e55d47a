"""Figures say what they show: position, voxel, range, channels, outlines."""

from __future__ import annotations

import matplotlib._pylab_helpers as registry
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from voxplain.case import Geometry
from voxplain.errors import InputError
from voxplain.report import draw_all, montage, picture, planes, png, projection, save_figures, scenes
from voxplain.report.panel import show_outlines

SHAPE = (10, 12, 8)
LAS = Geometry(np.array([[-2, 0, 0, 9], [0, 2, 0, -11], [0, 0, 3, -10], [0, 0, 0, 1.0]]), SHAPE)


def peak_map(value: float = -4.0) -> np.ndarray:
    values = np.zeros(SHAPE, np.float32)
    values[2, 3, 6] = value
    values[5, 5, 1] = 1.0
    return values


def texts(drawing) -> str:
    found = [text.get_text() for text in drawing.figure.texts]
    for axes in drawing.figure.axes:
        found += [axes.get_title(), *(text.get_text() for text in axes.texts)]
    return "\n".join(found)


def test_planes_name_the_strongest_voxel_in_the_original_array():
    (scene,) = scenes(np.ones(SHAPE), peak_map(), geometry=LAS)
    drawing = planes(scene)
    # x = -2*2 + 9 = 5, y = 2*3 - 11 = -5, z = 3*6 - 10 = 8
    for words in (texts(drawing), drawing.caption):
        assert "RAS (+5.0, −5.0, +8.0) mm · voxel (2, 3, 6) · value −4" in words
    assert "axial · S 8.0 mm · k = 6" in texts(drawing)
    assert "coronal · P 5.0 mm · j = 3" in texts(drawing)
    assert "sagittal · R 5.0 mm · i = 2" in texts(drawing)


def test_crosshair_points_at_the_voxel():
    (scene,) = scenes(np.ones(SHAPE), peak_map(), geometry=LAS)
    axial, coronal, sagittal = planes(scene).figure.axes[:3]
    # LAS is shown as L, P, I: x = 2, y = 12 - 1 - 3 = 8 and, in the other two, y = 8 - 1 - 6 = 1.
    for axes, (x, y) in ((axial, (2, 8)), (coronal, (2, 1)), (sagittal, (8, 1))):
        lines = [line.get_xydata() for line in axes.lines]
        assert {float(line[0, 1]) for line in lines if line[0, 1] == line[1, 1]} == {y}
        assert {float(line[0, 0]) for line in lines if line[0, 0] == line[1, 0]} == {x}


def test_a_given_voxel_is_shown_instead():
    (scene,) = scenes(np.ones(SHAPE), peak_map(), geometry=LAS)
    assert "voxel (5, 5, 1) · value +1" in texts(planes(scene, voxel=(5, 5, 1)))
    with pytest.raises(InputError, match=r"voxel \(5, 5, 8\)"):
        planes(scene, voxel=(5, 5, 8))


def test_caption_states_range_extremes_and_what_lies_beyond():
    values = np.zeros(SHAPE)
    values.reshape(-1)[:201] = np.arange(1, 202)  # 50th percentile of 1..201 is 101; 100 of 201 lie beyond
    (scene,) = scenes(np.ones(SHAPE), values, geometry=LAS, percentile=50)
    caption = planes(scene).caption
    assert "±101 (50th percentile" in caption
    assert "from 0 to +201; 50 % of the non-zero voxels lie beyond" in caption


def test_without_geometry_no_letters_are_drawn_and_the_figure_says_so():
    (scene,) = scenes(np.ones(SHAPE), peak_map(), spatial_dims=3)
    drawing = planes(scene)
    assert not any(axes.texts for axes in drawing.figure.axes)
    assert "no orientation known" in texts(drawing)
    assert "No orientation known" in drawing.caption


def test_channels_are_summed_and_the_caption_says_so():
    stack = np.stack([peak_map(), peak_map(), np.ones(SHAPE)])
    (scene,) = scenes(stack, stack, geometry=LAS, background=2)
    assert scene.values.min() == -7.0
    caption = planes(scene).caption
    assert "sum over 3 channels" in caption
    assert "channel 2 of 3" in caption


def test_each_channel_gets_a_row_with_one_common_range():
    stack = np.stack([peak_map(), 0.5 * peak_map()])
    rows = scenes(stack, stack, geometry=LAS, channels="each", percentile=100)
    assert [scene.scale.limit for scene in rows] == [4.0, 4.0]
    drawing = planes(rows)
    assert len(drawing.figure.axes) == 6 + 1  # two rows of three and the colour bar
    assert "value −4, −2" in texts(drawing)


def test_cancelling_channels_are_an_error_not_an_empty_picture():
    stack = np.stack([peak_map(), -peak_map()])
    with pytest.raises(InputError, match=r"sum to zero.*each"):
        scenes(stack, stack, geometry=LAS)


def test_montage_covers_the_map_and_contains_the_strongest_slice():
    values = np.zeros((6, 6, 60))
    values[:, :, 20:40] = 1.0
    values[3, 3, 27] = 5.0
    geometry = Geometry(np.eye(4), values.shape)
    (scene,) = scenes(np.ones(values.shape), values, geometry=geometry)
    shown = [int(a.get_title().split("k = ")[1]) for a in montage(scene, count=5).figure.axes[:-1]]
    assert shown == sorted(shown)  # from foot to head
    assert len(shown) == 5
    assert 27 in shown
    assert min(shown) == 20
    assert max(shown) == 39


def test_montage_can_follow_the_prediction():
    labels = np.zeros(SHAPE, int)
    labels[4:6, 4:6, 2:5] = 3
    (scene,) = scenes(np.ones(SHAPE), peak_map(), geometry=LAS, prediction=labels)
    shown = [a.get_title().split("k = ")[1] for a in montage(scene, extent="prediction").figure.axes[:-1]]
    assert shown == ["2", "3", "4"]
    (bare,) = scenes(np.ones(SHAPE), peak_map(), geometry=LAS)
    with pytest.raises(InputError, match="no outlined label"):
        montage(bare, extent="prediction")


def test_outlines_follow_prediction_and_truth():
    labels, truth = np.zeros(SHAPE, int), np.zeros(SHAPE, int)
    labels[2:4, 3:6, 6] = 7
    truth[2:4, 3:5, 6] = 7
    (scene,) = scenes(
        np.ones(SHAPE), peak_map(), geometry=LAS, prediction=labels, truth=truth, names={7: "$x_$<b>"}
    )
    drawing = planes(scene)
    axial = drawing.figure.axes[0]
    solid, dashed = (c for c in axial.collections if isinstance(c, LineCollection))
    # x from 2 to 3; j = 3..5 is shown at 12 - 1 - j = 6..8, the truth j = 3, 4 at 7, 8.
    for lines, top in ((solid, 5.5), (dashed, 6.5)):
        corners = np.concatenate(lines.get_segments())
        assert (corners.min(0).tolist(), corners.max(0).tolist()) == ([1.5, top], [3.5, 8.5])
    assert dashed.get_linestyle()[0][1] is not None
    assert "$x_$<b>" in texts(drawing)
    assert "ground truth" in texts(drawing)
    assert png(drawing).startswith(b"\x89PNG")  # "$" must not be read as mathematics


def test_the_truth_is_seen_on_bright_and_on_dark():
    truth = np.zeros(SHAPE, int)
    truth[2:4, 3:5, 6] = 7
    (scene,) = scenes(np.ones(SHAPE), peak_map(), geometry=LAS, truth=truth, names={7: "a"}, outlined=[7])
    for ground in ("white", "black"):
        figure = Figure(figsize=(2, 2), facecolor=ground)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 10), ylim=(0, 12))
        axes.axis("off")
        show_outlines(axes, scene, None, truth[:, :, 6])
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        grey = np.asarray(canvas.buffer_rgba())[..., :3].mean(2)
        assert grey.min() < 60 and grey.max() > 200, ground


def test_only_the_largest_labels_are_outlined_and_the_caption_counts_them():
    labels = np.zeros(SHAPE, int)
    for label in range(1, 13):
        labels.reshape(-1)[label * 50 : label * 50 + label] = label  # label n has n voxels
    (scene,) = scenes(np.ones(SHAPE), peak_map(), geometry=LAS, prediction=labels)
    assert [item.label for item in scene.outlined] == list(range(5, 13))
    assert "8 largest of 12 labels" in planes(scene).caption


def test_colour_picture_is_shown_in_colour():
    red = np.zeros((3, 6, 8), np.float32)
    red[0] = 200.0
    values = np.eye(6, 8)
    drawing = picture(scenes(red, values))
    shown = drawing.figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shown[..., 0], 1.0)
    np.testing.assert_allclose(shown[..., 1:], 0.0)
    alone = drawing.figure.axes[2].images[0].get_array()
    np.testing.assert_array_equal(alone, 0.0)
    assert "pixel (0, 0)" in texts(drawing)


def test_ambiguous_shapes_are_asked_back():
    with pytest.raises(InputError, match="spatial_dims"):
        scenes(np.ones((3, 8, 8)), np.ones((3, 8, 8)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.zeros(SHAPE)}, "zero in all"),
        ({"values": np.where(peak_map() == 1, np.nan, peak_map())}, "NaN"),
        ({"image": np.full(SHAPE, np.inf)}, "image: NaN or infinite"),
        ({"image": np.ones((3, 3, 3))}, "share a grid"),
        ({"prediction": np.ones((3, 3, 3))}, "prediction: shape"),
        ({"prediction": np.full(SHAPE, 0.5)}, "whole numbers"),
        ({"channels": 3}, "channel 3"),
        ({"background": 1}, "background channel 1"),
        ({"percentile": 0.0}, "percentile"),
    ],
)
def test_impossible_inputs_have_one_clear_line(change, message):
    arguments = {"image": np.ones(SHAPE), "values": peak_map(), "geometry": LAS} | change
    with pytest.raises(InputError, match=message) as caught:
        scenes(**arguments)
    assert "\n" not in str(caught.value)


def test_wrong_figure_for_the_dimensions_is_named():
    (flat,) = scenes(np.ones((4, 4)), np.eye(4))
    (full,) = scenes(np.ones(SHAPE), peak_map(), geometry=LAS)
    for draw in (planes, montage, projection):
        with pytest.raises(InputError, match="picture"):
            draw(flat)
    with pytest.raises(InputError, match="planes"):
        picture(full)


@pytest.mark.parametrize("shape", [(1, 1, 5), (300, 2, 2), (2, 2, 1)])
def test_extreme_shapes_can_be_drawn(shape):
    values = np.zeros(shape)
    values[0, 0, 0] = 1e-9
    for drawing in draw_all(scenes(np.zeros(shape), values, geometry=Geometry(np.eye(4), shape))).values():
        assert png(drawing, dpi=50).startswith(b"\x89PNG")


def test_figures_are_written_under_predictable_names_and_nothing_else(tmp_path):
    before = set(registry.Gcf.figs)
    scene = scenes(np.ones(SHAPE), peak_map(), geometry=LAS)
    paths = save_figures(tmp_path / "new", draw_all(scene), stem="ig boundary:Left/x", dpi=50)
    expected = {f"ig-boundary-Left-x-{name}.png" for name in ("planes", "montage", "projection")}
    assert {path.name for path in paths.values()} == expected
    assert {path.name for path in (tmp_path / "new").iterdir()} == expected
    assert set(registry.Gcf.figs) == before  # no pyplot figure was opened


def test_same_scene_gives_the_same_file():
    scene = scenes(np.ones(SHAPE), peak_map(), geometry=LAS)
    assert png(planes(scene), 50) == png(planes(scene), 50)


def test_unwritable_folder_leaves_one_clear_line_and_no_rest(tmp_path):
    (tmp_path / "file").write_text("in the way")
    drawings = {"planes": planes(scenes(np.ones(SHAPE), peak_map(), geometry=LAS))}
    with pytest.raises(InputError, match="cannot be written"):
        save_figures(tmp_path / "file", drawings)


def test_interrupted_writing_keeps_the_old_file_and_leaves_no_rest(tmp_path, monkeypatch):
    from pathlib import Path

    from voxplain.report.files import write_whole

    target = write_whole(tmp_path / "a.png", b"old")

    def full_disk(self, other):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write_whole(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_is_one_panel_and_no_strips(axis):
    shape = [9, 8, 7]
    shape[axis] = 1
    rng = np.random.default_rng(0)
    scene = scenes(rng.normal(size=shape), rng.normal(size=shape), geometry=Geometry(np.eye(4), tuple(shape)))
    drawings = draw_all(scene)
    assert list(drawings) == ["planes"]
    (panel,) = [a for a in drawings["planes"].figure.axes if a.images and a.get_title()]
    assert sorted(panel.images[0].get_array().shape[:2]) == sorted(n for n in shape if n > 1)
