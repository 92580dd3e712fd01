"""What can be read off a figure, and what can be drawn for a network to read."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def fits(figure):
    """Whether everything drawn lies on the figure, to a hundredth of an inch."""
    FigureCanvasAgg(figure).draw()
    drawn, paper = figure.get_tightbbox(), figure.bbox_inches
    return min(drawn.x0, drawn.y0) > -0.01 and drawn.x1 < paper.x1 + 0.01 and drawn.y1 < paper.y1 + 0.01


def sheet(digit: np.ndarray, *, dark_ink: bool = True, corner: tuple[int, int] = (20, 40)) -> Image.Image:
    """An 8×8 digit, enlarged to 150×150, on a sheet of 300×200."""
    enlarged = Image.fromarray(np.round(digit * 255 / 16).astype(np.uint8)).resize((150, 150))
    dark = Image.new("L", (300, 200), 0)
    dark.paste(enlarged, corner)
    return Image.fromarray(255 - np.asarray(dark)) if dark_ink else dark
