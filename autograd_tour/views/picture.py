"""What a view returns: a picture without places. Cards and links, a film of them, a chart, a run,
or a listing.

Everything here is plain data. Nothing has a place or a colour: :func:`autograd_tour.drawing.draw` gives
it both, and it alone knows how wide a text is. A piece of text says how much room it may take.
"""

from __future__ import annotations

from msgspec import Struct

from autograd_tour.errors import PictureError
from autograd_tour.views.charts import (
    Bar,
    Chart,
    ChartRow,
    Fill,
    Listing,
    ListingPart,
    ListingRow,
    LossCurve,
    Part,
    RunCell,
    RunChart,
    RunColumn,
    RunLane,
)
from autograd_tour.views.scene import (
    Card,
    Direction,
    Emphasis,
    Film,
    Frame,
    Label,
    Link,
    Role,
    Row,
    Run,
    Scene,
    Shape,
    within,
)

__all__ = [
    "Bar",
    "Card",
    "Chart",
    "ChartRow",
    "Direction",
    "Emphasis",
    "Fill",
    "Film",
    "Frame",
    "Label",
    "Link",
    "Listing",
    "ListingPart",
    "ListingRow",
    "LossCurve",
    "Part",
    "Picture",
    "PictureSize",
    "Role",
    "Row",
    "Run",
    "RunCell",
    "RunChart",
    "RunColumn",
    "RunLane",
    "Scene",
    "Shape",
    "check",
    "within",
]

Picture = Scene | Film | Chart | RunChart | Listing


class PictureSize(Struct, frozen=True):
    """How large the picture of ``view`` became, px, and its smallest text; how many ``cards`` it has.

    ``folded`` says what of the program is folded into cards, ``left_out`` what had no room.
    """

    view: str
    width: float
    height: float
    text: float
    cards: int = 0
    folded: str = ""
    left_out: tuple[str, ...] = ()


def check(picture: object) -> Picture:
    """``picture``, if it is one that can be drawn.

    Raises:
        PictureError: it is none, two cards have one id, a link joins no cards, a film has no frame, or a lane
            of a run does not fit its columns.
    """
    if isinstance(picture, Chart | Listing):
        return picture
    if isinstance(picture, RunChart):
        return _checked_run(picture)
    if not isinstance(picture, Scene | Film):
        raise PictureError(
            f"a {type(picture).__name__} is no picture: a Scene, Film, Chart, RunChart or Listing is"
        )
    scene = picture.scene if isinstance(picture, Film) else picture
    if isinstance(picture, Film) and not scene.captions:
        raise PictureError("a film without captions has no frames")
    ids = {card.id for card in scene.cards}
    if len(ids) < len(scene.cards):
        raise PictureError("two cards have the same id")
    for link in scene.links:
        if link.src not in ids or link.dst not in ids:
            raise PictureError(f"the link {link.id[:60]!r} does not join two cards of the picture")
    return picture


def _checked_run(chart: RunChart) -> RunChart:
    count = len(chart.columns)
    for lane in chart.lanes:
        if len(lane.cells) != count or len(lane.states) != count + 1:
            raise PictureError(f"the lane of {lane.name} does not fit {count} columns")
        if not all(0 <= column < count for column in lane.used):
            raise PictureError(f"the lane of {lane.name} is used in a column that is not there")
    return chart
