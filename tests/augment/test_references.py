"""Every operation against somebody else's code: Pillow, OpenCV, SciPy, colorsys; tolerances in grey levels of 255."""

import colorsys
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from scipy import ndimage, stats
from sklearn.datasets import load_sample_image

from gapless.augment.image.ops import OPS
from gapless.augment.image.policy import Policy, Step
from gapless.augment.image.torch.interpreter import run

HEIGHT, WIDTH = 90, 132
PHOTO = np.ascontiguousarray(load_sample_image("china.jpg")[100 : 100 + HEIGHT, 200 : 200 + WIDTH])
PICTURE = Image.fromarray(PHOTO)


def ours(name: str, magnitude: float, draws: tuple[float, ...] = (), size: tuple[int, int] | None = None, fill="black"):
    """The photo under one operation at exactly this magnitude, (H, W, 3) uint8."""
    policy = Policy((Step(name, abs(magnitude), magnitude="full"),), size=size, fill=fill)
    u = np.array([[0.0, 0.0 if magnitude < 0 else 0.9, *draws]])
    images = torch.from_numpy(PHOTO).permute(2, 0, 1)[None]
    return run(policy.program(u, HEIGHT, WIDTH), images)[0].permute(1, 2, 0).numpy()


def close(got, wanted, largest: float, mean: float, where=None) -> None:
    difference = np.abs(got.astype(float) - np.asarray(wanted, float))
    if where is not None:
        assert where.mean() > 0.3
        difference = difference[where]
    assert difference.max() <= largest
    assert difference.mean() <= mean


def affine(*entries: float):
    """Pillow's affine transform for a matrix about the picture's centre, and where nothing outside is involved."""
    a, b, c, d, e, f = entries
    x, y = WIDTH / 2, HEIGHT / 2
    about = (a, b, c + x - a * x - b * y, d, e, f + y - d * x - e * y)
    inside = Image.new("L", PICTURE.size, 255).transform(
        PICTURE.size, Image.Transform.AFFINE, about, Image.Resampling.BILINEAR
    )
    inner = ndimage.binary_erosion(np.asarray(inside) == 255, iterations=2)
    return PICTURE.transform(PICTURE.size, Image.Transform.AFFINE, about, Image.Resampling.BILINEAR), inner


@pytest.mark.parametrize("angle", [-37.0, 15.0, 140.0])
def test_rotate(angle: float) -> None:
    wanted = PICTURE.rotate(angle, Image.Resampling.BILINEAR)
    blank = Image.new("L", PICTURE.size, 255).rotate(angle, Image.Resampling.BILINEAR)
    inner = ndimage.binary_erosion(np.asarray(blank) == 255, iterations=2)
    close(ours("rotate", angle), wanted, 1, 0.5, inner)


@pytest.mark.parametrize(
    ("name", "magnitude", "matrix"),
    [
        ("scale", 0.3, (1 / 1.3, 0, 0, 0, 1 / 1.3, 0)),
        ("scale", -0.2, (1 / 0.8, 0, 0, 0, 1 / 0.8, 0)),
        ("zoom", 0.4, (1 / 1.4, 0, 0, 0, 1 / 1.4, 0)),
        ("aspect", 0.44, (1 / 1.2, 0, 0, 0, 1.2, 0)),
        ("aspect", -0.44, (1.2, 0, 0, 0, 1 / 1.2, 0)),
        ("translate_x", 0.13, (1, 0, -0.13 * WIDTH, 0, 1, 0)),
        ("translate_y", -0.13, (1, 0, 0, 0, 1, 0.13 * HEIGHT)),
        ("shift_x", 7, (1, 0, -7, 0, 1, 0)),
        ("shift_y", -7, (1, 0, 0, 0, 1, 7)),
        ("pad_crop", 7, (1, 0, -7 + 2, 0, 1, -7 + 13)),
        ("crop", 0.25, (0.75, 0, 0.25 * (0.2 - 0.5) * WIDTH, 0, 0.75, 0.25 * (0.9 - 0.5) * HEIGHT)),
        ("shear_x", 20, (1, np.tan(np.pi / 9), 0, 0, 1, 0)),
        ("shear_y", -20, (1, 0, 0, -np.tan(np.pi / 9), 1, 0)),
    ],
)
def test_straight_and_slanted_moves(name: str, magnitude: float, matrix: tuple[float, ...]) -> None:
    wanted, inner = affine(*matrix)
    draws = {"pad_crop": (2.5 / 15, 13.5 / 15), "crop": (0.2, 0.9)}.get(name, ())
    close(ours(name, magnitude, draws), wanted, 1, 0.52, inner)


def test_flips_and_quarter_turns() -> None:
    assert (ours("flip_x", 1) == np.asarray(ImageOps.mirror(PICTURE))).all()
    assert (ours("flip_y", 1) == np.asarray(ImageOps.flip(PICTURE))).all()
    square = slice((WIDTH - HEIGHT) // 2, (WIDTH + HEIGHT) // 2)
    for turns, method in ((1, "ROTATE_90"), (2, "ROTATE_180"), (3, "ROTATE_270")):
        wanted = np.asarray(Image.fromarray(PHOTO[:, square]).transpose(Image.Transpose[method]))
        assert (ours("quarter_turn", turns)[:, square] == wanted).all()


def test_perspective() -> None:
    inward = np.random.default_rng(0).random(8)
    corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], float)
    half = np.array([WIDTH, HEIGHT]) / 2
    moved = half + (corners - half) * (1 - 0.5 * inward.reshape(4, 2))
    system, right = [], []
    for (x, y), (u, v) in zip(moved, corners, strict=True):
        system += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    entries = np.linalg.solve(np.array(system), np.array(right)).tolist()
    wanted = PICTURE.transform(PICTURE.size, Image.Transform.PERSPECTIVE, entries, Image.Resampling.BILINEAR)
    blank = Image.new("L", PICTURE.size, 255)
    inside = blank.transform(PICTURE.size, Image.Transform.PERSPECTIVE, entries, Image.Resampling.BILINEAR)
    inner = ndimage.binary_erosion(np.asarray(inside) == 255, iterations=2)
    close(ours("perspective", 0.5, tuple(inward)), wanted, 1, 0.5, inner)


@pytest.mark.parametrize("size", [(24, 24), (40, 70), (64, 64)])
def test_resized_crop_is_antialiased_as_pillows_resize(size: tuple[int, int]) -> None:
    left_out, draws = 0.4, (0.3, 0.6, 0.2)
    got = ours("resized_crop", left_out, draws, size)
    area, ratio = 0.6, 3 / 4 * (min(4 / 3, WIDTH / HEIGHT / 0.6) / max(3 / 4, 0.6 * WIDTH / HEIGHT)) ** 0.3
    ratio = max(3 / 4, 0.6 * WIDTH / HEIGHT) * (ratio / (3 / 4))
    width, height = np.sqrt(area * WIDTH * HEIGHT * ratio), np.sqrt(area * WIDTH * HEIGHT / ratio)
    x, y = 0.6 * (WIDTH - width), 0.2 * (HEIGHT - height)
    wanted = PICTURE.resize(size[::-1], Image.Resampling.BILINEAR, box=(x, y, x + width, y + height))
    close(got, wanted, 2, 0.5)


def test_a_policy_with_a_size_resizes_as_pillow_does() -> None:
    images = torch.from_numpy(PHOTO).permute(2, 0, 1)[None]
    for size in ((30, 40), (200, 150)):
        program = Policy((), size=size).program(np.zeros((1, 0)), HEIGHT, WIDTH)
        got = run(program, images)[0].permute(1, 2, 0).numpy()
        close(got, PICTURE.resize(size[::-1], Image.Resampling.BILINEAR), 1, 0.5)


@pytest.mark.parametrize("share", [-0.6, 0.5])
def test_enhancements(share: float) -> None:
    close(ours("brightness", share), ImageEnhance.Brightness(PICTURE).enhance(1 + share), 1, 0.6)
    close(ours("contrast", share), ImageEnhance.Contrast(PICTURE).enhance(1 + share), 1, 0.75)
    close(ours("saturation", share), ImageEnhance.Color(PICTURE).enhance(1 + share), 1, 0.6)
    close(ours("sharpness", share), ImageEnhance.Sharpness(PICTURE).enhance(1 + share), 1, 0.6)


def test_tables_and_negatives() -> None:
    close(ours("grayscale", 1), np.asarray(PICTURE.convert("L"))[:, :, None].repeat(3, 2), 1, 0.5)
    assert (ours("invert", 1) == np.asarray(ImageOps.invert(PICTURE))).all()
    assert (ours("posterize", 5) == np.asarray(ImageOps.posterize(PICTURE, 3))).all()
    assert (ours("solarize", 100) == np.asarray(ImageOps.solarize(PICTURE, 156))).all()
    close(ours("autocontrast", 1), ImageOps.autocontrast(Image.fromarray(PHOTO)), 1, 0.6)
    assert (ours("equalize", 1) == np.asarray(ImageOps.equalize(PICTURE))).all()
    for share, power in ((0.5, 1 / 1.5), (-0.5, 1.5)):
        wanted = PICTURE.point([round(255 * (i / 255) ** power) for i in range(256)] * 3)
        close(ours("gamma", share), wanted, 0, 0)
    assert (ours("solarize_add", 60) == np.asarray(PICTURE.point([i + 60 * (i < 128) for i in range(256)] * 3))).all()


def test_autocontrast_of_a_dull_picture() -> None:
    dull = (60 + PHOTO // 4).astype(np.uint8)
    policy = Policy((Step("autocontrast", 1),))
    images = torch.from_numpy(dull).permute(2, 0, 1)[None]
    got = run(policy.program(np.zeros((1, 2)), HEIGHT, WIDTH), images)[0].permute(1, 2, 0).numpy()
    close(got, ImageOps.autocontrast(Image.fromarray(dull)), 1, 0.6)
    assert got.reshape(-1, 3).min(0).tolist() == [0, 0, 0] and got.reshape(-1, 3).max(0).tolist() == [255, 255, 255]


def test_hue_is_that_of_hsv() -> None:
    got = ours("hue", 72).reshape(-1, 3)[::37]
    for pixel, turned in zip(PHOTO.reshape(-1, 3)[::37] / 255, got, strict=True):
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        assert np.abs(np.array(colorsys.hsv_to_rgb((h + 0.2) % 1, s, v)) * 255 - turned).max() <= 0.51


def test_hue_matrix_turns_in_yiq() -> None:
    got = ours("hue_matrix", 30).reshape(-1, 3)[::37]
    cut = 0
    for pixel, turned in zip(PHOTO.reshape(-1, 3)[::37] / 255, got, strict=True):
        y, i, q = colorsys.rgb_to_yiq(*pixel)
        c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
        wanted = np.array(colorsys.yiq_to_rgb(y, c * i - s * q, s * i + c * q)) * 255
        cut += wanted.max() > 255 or wanted.min() < 0
        assert np.abs(np.clip(wanted, 0, 255) - turned).max() <= 4, "colorsys rounds the constants of YIQ"
    assert cut < 100


def test_blur_is_scipys_gaussian() -> None:
    for deviation in (0.4, 1.0, 2.5):
        radius = int(np.ceil(3 * deviation))
        wanted = ndimage.gaussian_filter(
            PHOTO.astype(float), (deviation, deviation, 0), mode="nearest", radius=(radius, radius, 0)
        )
        close(ours("blur", deviation), wanted, 0.51, 0.3)


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_jpeg_is_pillows_file_up_to_rounding(quality: int) -> None:
    file = io.BytesIO()
    PICTURE.save(file, "JPEG", quality=quality, subsampling=2)
    wanted = np.asarray(Image.open(file)).astype(float)
    got = ours("jpeg", 100 - quality).astype(float)
    difference = np.abs(got - wanted)
    assert difference.mean() < 1.1, "coefficients near a tie are rounded the other way by libjpeg's whole numbers"
    assert np.percentile(difference, 97) <= 8
    assert np.abs(wanted - PHOTO).mean() > 4 * difference.mean()


def test_channel_shuffle_keeps_the_levels() -> None:
    seen = set()
    for order in np.linspace(0.01, 0.99, 12):
        got = ours("channel_shuffle", 1, (order,))
        assert (np.sort(got, axis=2) == np.sort(PHOTO, axis=2)).all()
        seen.add(tuple(int(np.abs(got[:, :, [c]].astype(int) - PHOTO).sum((0, 1)).argmin()) for c in range(3)))
    assert len(seen) == 6


def plain(name: str, magnitude: float, draws: tuple[float, ...], side: int = 200) -> np.ndarray:
    """A middle-gray picture under one operation, (side, side, 3) float levels."""
    policy = Policy((Step(name, magnitude, magnitude="full"),))
    images = torch.full((1, 3, side, side), 0.5)
    return run(policy.program(np.array([[0.0, 0.9, *draws]]), side, side), images)[0].permute(1, 2, 0).numpy()


def test_noise_is_normal_and_independent() -> None:
    values = plain("noise", 0.1, (0.37,)) - 0.5
    assert stats.kstest(values.ravel()[::7] / 0.1, "norm").pvalue > 0.01
    assert values.std() == pytest.approx(0.1, rel=0.02)
    for axis in range(3):
        near = np.corrcoef(values.ravel(), np.roll(values, 1, axis).ravel())[0, 1]
        assert abs(near) < 0.02
    other = plain("noise", 0.1, (0.38,)) - 0.5
    assert abs(np.corrcoef(values.ravel(), other.ravel())[0, 1]) < 0.02


def test_salt_and_pepper_take_their_share_in_equal_parts() -> None:
    values = plain("salt_pepper", 0.2, (0.81,))
    assert (values == values[:, :, :1]).all()
    assert (values == 0).mean() == pytest.approx(0.1, abs=0.01)
    assert (values == 1).mean() == pytest.approx(0.1, abs=0.01)


def test_boxes_and_grids_hide_what_they_say() -> None:
    hidden = plain("erase", 0.3, (0.5, 0.5)) != 0.5
    assert not hidden.any(), "the box is gray"
    assert (ours("erase", 0.5, (0.5, 0.5)) == 128).all(2).mean() == pytest.approx(0.25, abs=0.01)
    area = plain("erase_area", 0.2, (0.9, 0.1, 0.7, 0.01))
    assert (area < 0.1).mean() == pytest.approx(0.2, abs=0.01)
    painted = np.argwhere((area < 0.1)[:, :, 0])
    height, width = painted.max(0) - painted.min(0) + 1
    assert 0.3 < width / height < 1 / 0.3
    assert (painted.max(0) - painted.min(0) + 1).prod() == len(painted)
    grid = (ours("grid_mask", 0.5, (0.1, 0.3, 0.6)) == 128).all(2)
    assert grid.mean() == pytest.approx(0.25, abs=0.08)


def test_every_operation_was_checked() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert not [name for name in OPS if f'"{name}", ' not in source]


# ── OpenCV, the second reference ──

MIDDLE = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])


def moved(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """OpenCV's warp by a matrix (2, 3) from input to output about the middle, and where nothing outside is involved."""
    shift = matrix[:, 2] + MIDDLE - matrix[:, :2] @ MIDDLE
    full = np.concatenate([matrix[:, :2], shift[:, None]], axis=1)
    flags = {"dsize": (WIDTH, HEIGHT), "flags": cv2.INTER_LINEAR}
    inside = cv2.warpAffine(np.full((HEIGHT, WIDTH), 255, np.uint8), full, **flags)
    return cv2.warpAffine(PHOTO, full, **flags), ndimage.binary_erosion(inside == 255, iterations=2)


def turned(degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, s, 0], [-s, c, 0]])


@pytest.mark.parametrize(
    ("name", "magnitude", "matrix"),
    [
        ("rotate", 23.0, turned(23)),
        ("rotate", -110.0, turned(-110)),
        ("scale", 0.35, np.array([[1.35, 0, 0], [0, 1.35, 0]])),
        ("zoom", 0.6, np.array([[1.6, 0, 0], [0, 1.6, 0]])),
        ("aspect", 0.44, np.array([[1.2, 0, 0], [0, 1 / 1.2, 0]])),
        ("translate_x", 0.11, np.array([[1, 0, 0.11 * WIDTH], [0, 1, 0]])),
        ("translate_y", -0.07, np.array([[1, 0, 0], [0, 1, -0.07 * HEIGHT]])),
        ("shift_x", -9, np.array([[1, 0, -9], [0, 1, 0]])),
        ("shear_x", 15, np.array([[1, -np.tan(np.pi / 12), 0], [0, 1, 0]])),
        ("shear_y", 15, np.array([[1, 0, 0], [-np.tan(np.pi / 12), 1, 0]])),
        ("flip_x", 1, np.array([[-1, 0, 0], [0, 1, 0]])),
        ("flip_y", 1, np.array([[1, 0, 0], [0, -1, 0]])),
    ],
)
def test_moves_are_opencvs(name: str, magnitude: float, matrix: np.ndarray) -> None:
    """OpenCV 5 interpolates in 5 bits of a pixel, or exactly: neighbours in this photo differ by up to 200 levels."""
    wanted, inner = moved(matrix.astype(float))
    close(ours(name, magnitude), wanted, 6, 0.8, inner)


@pytest.mark.parametrize("fill", ["black", "gray", "edge", "reflect"])
def test_fills_are_opencvs_borders(fill: str) -> None:
    border = {"black": cv2.BORDER_CONSTANT, "gray": cv2.BORDER_CONSTANT}
    border |= {"edge": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT}
    level = (128, 128, 128) if fill == "gray" else (0, 0, 0)
    matrix = np.array([[1.0, 0, 13], [0, 1, -7]])
    wanted = cv2.warpAffine(PHOTO, matrix, (WIDTH, HEIGHT), borderMode=border[fill], borderValue=level)
    both = Policy((Step("shift_x", 13, magnitude="full"), Step("shift_y", 7, magnitude="full")), fill=fill)  # pyright: ignore[reportArgumentType]  # one of FILLS
    got = run(both.program(np.array([[0, 0.9, 0, 0.1]]), HEIGHT, WIDTH), torch.from_numpy(PHOTO).permute(2, 0, 1)[None])
    assert (got[0].permute(1, 2, 0).numpy() == wanted).all()


def test_colours_are_opencvs() -> None:
    gray = cv2.cvtColor(PHOTO, cv2.COLOR_RGB2GRAY)[:, :, None].repeat(3, 2)
    close(ours("grayscale", 1), gray, 1, 0.5)
    close(ours("saturation", 0.5), cv2.addWeighted(PHOTO, 1.5, gray, -0.5, 0), 1, 0.6)
    close(ours("brightness", -0.3), cv2.convertScaleAbs(PHOTO, alpha=0.7), 1, 0.5)
    close(ours("invert", 1), cv2.bitwise_not(PHOTO), 0, 0)
    smooth = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    kernel = 1.4 * np.pad([[1.0]], 1) - 0.4 * smooth
    inner = (slice(1, -1), slice(1, -1))
    close(ours("sharpness", 0.4)[inner], cv2.filter2D(PHOTO, -1, kernel)[inner], 1, 0.5)
    blurred = cv2.GaussianBlur(PHOTO, (9, 9), 1.3, borderType=cv2.BORDER_REPLICATE)
    close(ours("blur", 1.3), blurred, 2, 0.5)
    hsv = cv2.cvtColor(PHOTO.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0] + 50) % 360
    close(ours("hue", 50), cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255, 1, 0.5)


def test_jpeg_is_opencvs_file_up_to_rounding() -> None:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 60, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    wanted = cv2.cvtColor(
        cv2.imdecode(cv2.imencode(".jpg", cv2.cvtColor(PHOTO, cv2.COLOR_RGB2BGR), quality)[1], cv2.IMREAD_COLOR),
        cv2.COLOR_BGR2RGB,
    )
    difference = np.abs(ours("jpeg", 40).astype(float) - wanted)
    assert difference.mean() < 1.1 and np.percentile(difference, 97) <= 8


def test_the_whole_of_a_classic_policy_against_opencv() -> None:
    angle, size, shift = 12.0, 1.15, (0.05 * WIDTH, -0.04 * HEIGHT)
    steps = [("rotate", angle), ("scale", 0.15), ("translate_x", 0.05), ("translate_y", -0.04)]
    policy = Policy(tuple(Step(n, abs(m), magnitude="full") for n, m in steps))
    u = np.array([[v for _, m in steps for v in (0.0, 0.0 if m < 0 else 0.9)]])
    got = run(policy.program(u, HEIGHT, WIDTH), torch.from_numpy(PHOTO).permute(2, 0, 1)[None])
    turn = np.vstack([cv2.getRotationMatrix2D(((WIDTH - 1) / 2, (HEIGHT - 1) / 2), angle, size), [0, 0, 1]])
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    wanted = cv2.warpAffine(PHOTO, (move @ turn)[:2], (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    inner = (slice(12, -12), slice(16, -16))
    close(got[0].permute(1, 2, 0).numpy()[inner], wanted[inner], 6, 0.8)
