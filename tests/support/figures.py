"""What can be read off a figure."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def fits(figure):
    """Whether everything drawn lies on the figure, to a hundredth of an inch."""
    FigureCanvasAgg(figure).draw()
    drawn, paper = figure.get_tightbbox(), figure.bbox_inches
    return min(drawn.x0, drawn.y0) > -0.01 and drawn.x1 < paper.x1 + 0.01 and drawn.y1 < paper.y1 + 0.01
