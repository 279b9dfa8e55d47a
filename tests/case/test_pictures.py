"""Pictures and arrays: rows, columns and values as the file has them."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from voxplain.case import Case, Geometry, read_case, read_mask, write_array, write_case
from voxplain.errors import GeometryError, InputError


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("top", [256, 65536])
@pytest.mark.parametrize("channels", [1, 3])
def test_whole_numbers_survive_the_roundtrip(tmp_path, rng, channels, top, suffix):
    image = rng.integers(0, top, (channels, 7, 5))
    image[0, 0, 0] = top - 1
    write_case(tmp_path / f"a{suffix}", Case("a", image))
    case = read_case(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(case.image, image)
    assert case.geometry is None
    assert case.id == "a"


def test_a_pixel_is_found_at_its_row_and_column(tmp_path):
    # Pillow counts (column, row): the writer of the truth is not our own.
    picture = Image.new("RGB", (9, 4))
    picture.putpixel((7, 2), (10, 20, 30))
    picture.save(tmp_path / "a.png")
    image = read_case(tmp_path / "a.png").image
    assert image.shape == (3, 4, 9)
    assert image[:, 2, 7].tolist() == [10, 20, 30]


def png16_by_hand(path, pixels, colour):
    """The PNG specification in eight lines: filter 0, one IDAT, big-endian samples."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    rows, columns = pixels.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", columns, rows, 16, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


@pytest.mark.parametrize(("colour", "samples"), [(0, 1), (2, 3), (6, 4)])
def test_16_bits_of_colour_keep_their_low_byte(tmp_path, rng, colour, samples):
    pixels = rng.integers(0, 65536, (6, 5, samples)).astype(np.uint16)
    png16_by_hand(tmp_path / "a.png", pixels, colour)
    np.testing.assert_array_equal(
        read_case(tmp_path / "a.png").image, np.moveaxis(pixels[..., : min(samples, 3)], 2, 0)
    )


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_pngs_of_few_bits_keep_the_files_numbers(tmp_path, depth):
    # One row of 8 pixels, packed by hand.
    values = np.arange(8) % 2**depth
    bits = "".join(f"{v:0{depth}b}" for v in values)
    row = b"\0" + int(bits, 2).to_bytes(depth, "big")

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 8, 1, depth, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    np.testing.assert_array_equal(read_case(tmp_path / "a.png").image[0, 0], values)


@pytest.mark.parametrize(("mode", "kept"), [("RGBA", 3), ("LA", 1)])
def test_alpha_is_left_out_and_noted(tmp_path, rng, mode, kept):
    pixels = rng.integers(0, 256, (4, 6, kept + 1)).astype(np.uint8)
    Image.fromarray(pixels, mode).save(tmp_path / "a.png")
    case = read_case(tmp_path / "a.png")
    np.testing.assert_array_equal(case.image, np.moveaxis(pixels[..., :kept], 2, 0))
    assert "the alpha channel was left out" in case.meta["notes"]


def test_a_palette_gives_colours_to_images_and_indices_to_masks(tmp_path):
    indices = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    picture = Image.fromarray(indices, "P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 128, 64])
    picture.save(tmp_path / "a.png")
    case = read_case(tmp_path / "a.png")
    assert case.image[:, 0, 2].tolist() == [0, 128, 64]
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png", case), indices)


@pytest.mark.parametrize("code", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "tif", "png"])
def test_orientation_tags_turn_the_picture_upright(tmp_path, code, kind):
    # EXIF: code -> which corner of the upright picture the stored (row 0, column 0) is, and whether axes swap.
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8] = 250  # a mark at the top left
    upright[:8, 16:] = 120  # a weaker one at the top right
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],  # shown by a quarter turn clockwise
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[code]
    path = tmp_path / f"a.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, stored, extratags=[(274, "H", 1, code, True)])
    else:
        exif = Image.Exif()
        exif[0x0112] = code
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=100)
    np.testing.assert_allclose(read_case(path).image[0], upright, atol=3)


def test_turned_16_bit_colour_is_upright_as_well(tmp_path, rng):
    pixels = rng.integers(0, 65536, (4, 6, 3)).astype(np.uint16)
    png16_by_hand(tmp_path / "plain.png", pixels, 2)
    raw = (tmp_path / "plain.png").read_bytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    content = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(content)) + b"eXIf" + content
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + content))
    (tmp_path / "a.png").write_bytes(raw[:33] + chunk + raw[33:])  # after the signature and IHDR
    expected = np.moveaxis(np.rot90(pixels, -1), 2, 0)  # code 6: a quarter turn clockwise
    np.testing.assert_array_equal(read_case(tmp_path / "a.png").image, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.float32])
def test_tiff_keeps_every_sample_type(tmp_path, rng, dtype):
    pixels = (rng.normal(size=(5, 7)) * 1000).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    np.testing.assert_array_equal(read_case(tmp_path / "a.tif").image[0], pixels.astype(np.float32))


def test_tiff_pages_are_a_stack(tmp_path, rng):
    pages = rng.integers(0, 256, (3, 5, 7)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in pages:
            writer.write(page, metadata=None)
    case = read_case(tmp_path / "a.tif")
    np.testing.assert_array_equal(case.image, pages[None])
    assert case.geometry is None


def test_tiff_pages_of_colour_are_a_stack_with_channels(tmp_path, rng):
    pages = rng.integers(0, 256, (4, 5, 7, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb")
    np.testing.assert_array_equal(read_case(tmp_path / "a.tif").image, np.moveaxis(pages, 3, 0))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("colour", [False, True])
def test_compressed_tiffs_of_other_programs_are_read(tmp_path, rng, compression, colour):
    pixels = rng.integers(0, 256, (6, 5, 3) if colour else (6, 5)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.tif", compression=compression)
    expected = np.moveaxis(pixels, 2, 0) if colour else pixels[None]
    np.testing.assert_array_equal(read_case(tmp_path / "a.tif").image, expected)


def test_tiff_float_maps_are_exact(tmp_path, rng):
    image = rng.normal(size=(2, 5, 7)).astype(np.float32)
    write_array(tmp_path / "a.tif", image, None)
    np.testing.assert_array_equal(read_case(tmp_path / "a.tif").image, image)


def test_jpeg_is_close(tmp_path):
    rows, columns = np.mgrid[:32, :32]
    image = np.stack([rows * 4, columns * 4, rows + columns])
    write_array(tmp_path / "a.jpg", image, None)
    assert np.abs(read_case(tmp_path / "a.jpg").image - image).max() < 6


@pytest.mark.parametrize(
    ("name", "image", "words"),
    [
        ("a.png", np.full((1, 2, 2), 0.5), "whole numbers"),
        ("a.png", np.full((1, 2, 2), -1), "whole numbers"),
        ("a.png", np.full((1, 2, 2), 70000), "whole numbers"),
        ("a.jpg", np.full((1, 2, 2), 300), "JPEG holds 8 bits"),
        ("a.png", np.zeros((2, 2, 2)), "is no picture"),
        ("a.webp", np.zeros((1, 2, 2)), "unknown"),
        ("a.nii.gz", np.zeros((1, 2, 2)), "needs a geometry"),
        ("a.tif", np.full((2, 2), np.nan), "NaN"),
    ],
)
def test_what_a_picture_cannot_hold_is_refused(tmp_path, name, image, words):
    with pytest.raises(InputError, match=words):
        write_array(tmp_path / name, image, None)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_refuses_a_geometry_instead_of_dropping_it(tmp_path):
    with pytest.raises(GeometryError, match="cannot hold a geometry"):
        write_array(tmp_path / "a.png", np.zeros((2, 2)), Geometry(np.eye(4), (2, 2)))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_damaged_pictures_are_one_clear_line(tmp_path, name):
    write_array(tmp_path / name, np.arange(64 * 64).reshape(64, 64) % 251, None)
    raw = (tmp_path / name).read_bytes()
    for keep in (0, 20, len(raw) // 2):
        (tmp_path / name).write_bytes(raw[:keep])
        with pytest.raises(InputError) as error:
            read_case(tmp_path / name)
        assert str(error.value).startswith(str(tmp_path / name))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6), (2, 4, 5, 6)])
def test_bare_arrays_are_told_apart_by_their_axes(tmp_path, rng, shape):
    values = rng.normal(size=shape).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    image = read_case(tmp_path / "a.npy").image
    assert image.shape == (shape if len(shape) == 4 else (1, *shape))
    np.testing.assert_array_equal(image.reshape(shape), values)


def test_npz_keeps_image_geometry_and_label(tmp_path, rng):
    affine = np.diag([-1.1, 2.3, 3.7, 1])
    case = Case("a", rng.normal(size=(3, 4, 5)), Geometry(affine, (4, 5)), label=rng.integers(0, 9, (4, 5)))
    write_case(tmp_path / "a.npz", case)
    again = read_case(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.image, case.image)
    np.testing.assert_array_equal(again.label, case.label)
    assert again.geometry == case.geometry  # exactly: the archive holds float64


def test_npy_of_a_case_is_read_back_or_refused(tmp_path, rng):
    volume = Case("a", rng.normal(size=(1, 4, 5, 6)))
    write_case(tmp_path / "a.npy", volume)
    np.testing.assert_array_equal(read_case(tmp_path / "a.npy").image, volume.image)
    with pytest.raises(InputError, match=r"use \.npz"):
        write_case(tmp_path / "b.npy", Case("b", np.zeros((3, 4, 5))))


def test_pickles_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", image=np.array([{}], object), allow_pickle=True)
    for name in ("a.npy", "b.npz"):
        with pytest.raises(InputError, match="pickled"):
            read_case(tmp_path / name)


def test_an_archive_without_image_names_what_it_holds(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 2)))
    with pytest.raises(InputError, match="did you mean 'images'"):
        read_case(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", [(), (5,), (1, 2, 3, 4, 5)])
def test_arrays_that_are_no_image_are_refused(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(InputError, match="is no image"):
        read_case(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_damaged_arrays_are_one_clear_line(tmp_path, name):
    write_case(tmp_path / name, Case("a", np.ones((1, 9, 9))))
    raw = (tmp_path / name).read_bytes()
    for keep in (0, 10, len(raw) // 2):
        (tmp_path / name).write_bytes(raw[:keep])
        with pytest.raises(InputError, match="cannot be read as NumPy"):
            read_case(tmp_path / name)
