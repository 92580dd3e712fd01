"""Pictures as files: which ones a run made, and a word across those of a trial."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageSequence

SUFFIXES = (".png", ".gif")


def picture_times(folder: Path) -> dict[str, int]:
    """When each picture in the folder was written, by its name."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    return {path.name: path.stat().st_mtime_ns for path in paths}


@contextmanager
def stamped(folder: Path, word: str) -> Iterator[None]:
    """The pictures that are written to the folder meanwhile get ``word`` across, if there is one."""
    before = picture_times(folder)
    yield
    for name, time in picture_times(folder).items():
        if word and before.get(name) != time:
            write_across(folder / name, word)


def write_across(path: Path, word: str) -> None:
    """Every frame of the picture with ``word`` across, half transparent."""
    with Image.open(path) as picture:
        frames = [_with_word(frame.convert("RGBA"), word) for frame in ImageSequence.Iterator(picture)]
        options: dict[str, Any] = {"save_all": True, "append_images": frames[1:]} if len(frames) > 1 else {}
        kept: dict[str, Any] = {
            name: picture.info[name] for name in ("duration", "loop", "dpi") if name in picture.info
        }
    frames[0].convert("RGB").save(path, **kept, **options)


def _with_word(frame: Image.Image, word: str) -> Image.Image:
    layer = Image.new("RGBA", frame.size)
    font = ImageFont.load_default(size=min(frame.width / (0.6 * len(word)), frame.height / 1.5))
    centre = frame.width / 2, frame.height / 2
    ImageDraw.Draw(layer).text(centre, word, font=font, fill=(200, 0, 0, 70), anchor="mm")
    return Image.alpha_composite(frame, layer)
