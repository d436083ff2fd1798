"""Charts of trips, for the notebook and examples/pictures.py: weeks by region, where trips begin, weekday and hour.

Each function draws rows into axes of matplotlib, and queries nothing. Names of regions are text: no markup, no escapes.
"""

import datetime
import math
import unicodedata

import matplotlib
import matplotlib.dates
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import EngFormatter, MaxNLocator
from matplotlib.transforms import ScaledTranslation

# A dollar in a name is a dollar.
matplotlib.rcParams["text.parse_math"] = False

LINE, FILL, GRID, MUTED = "#0b6e99", "#d3e6ee", "#e3e3e3", "#666666"
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
KILOMETRES_PER_DEGREE = 111.195


def label(text, width=40):
    """A name in a chart: without characters that are no glyphs, and not too wide."""
    shown = "".join("�" if unicodedata.category(c).startswith("C") else c for c in text)
    return shown if len(shown) <= width else shown[:width - 1] + "…"


def count(number):
    return f"{number:,.0f}"


def _counts(axis, ticks):
    """Ticks of an axis of counts: whole numbers, with k and M if they are large."""
    if ticks:
        axis.set_major_locator(MaxNLocator(ticks, integer=True))
    # Below 1000, the formatter has no prefix; counts have no fractions.
    axis.set_major_formatter(EngFormatter(sep=""))


def _bar(axes, drawn, is_linear):
    """The scale of colours, beside the data."""
    bar = axes.figure.colorbar(drawn, ax=axes, pad=0.02)
    bar.set_label("trips", fontsize=8)
    _counts(bar.ax.yaxis, 6 if is_linear else None)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


def weeks(axes, name, rows):
    """The trips of each week, as (Monday, trips): a panel of small multiples, with an axis of its own."""
    days, counts = zip(*rows)
    axes.fill_between(days, counts, color=FILL, linewidth=0)
    axes.plot(days, counts, color=LINE, linewidth=1.2, marker="o" if len(days) < 30 else None, markersize=3)
    axes.set_title(label(name), loc="left", fontsize=10, fontweight="bold", pad=4)
    axes.set_title(f"{count(sum(counts))} trips", loc="right", fontsize=8, color=MUTED, pad=4)
    axes.set_ylim(0, max(counts) * 1.08 or 1)
    if len(days) == 1:
        axes.set_xlim(days[0] - datetime.timedelta(14), days[0] + datetime.timedelta(14))
    _counts(axes.yaxis, 3)
    locator = matplotlib.dates.AutoDateLocator(minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))
    axes.xaxis.get_offset_text().set_size(8)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, length=2)
    axes.spines[["top", "right", "left"]].set_visible(False)


def small_multiples(figure, panels, columns=2):
    """A panel for each region, as (name, rows of weeks): all with the same weeks below."""
    columns = min(columns, len(panels))
    lines = math.ceil(len(panels) / columns)
    grid = figure.subplots(lines, columns, sharex=True, squeeze=False)
    for axes, (name, rows) in zip(grid.flat, panels):
        weeks(axes, name, rows)
    for axes in list(grid.flat)[len(panels):]:
        axes.set_visible(False)
    # The last panel of a column has the dates, also where the last line is not full.
    for axes in list(grid.flat)[max(0, len(panels) - columns):len(panels)]:
        axes.tick_params(labelbottom=True)
    return grid


def _below(axes):
    """A line below the axes, whatever their height."""
    return axes.transAxes + ScaledTranslation(0, -11 / 72, axes.figure.dpi_scale_trans)


def _scale_bar(axes, west, east, latitude):
    """A round number of kilometres, about a quarter of the width."""
    kilometre = 1 / (KILOMETRES_PER_DEGREE * max(math.cos(math.radians(latitude)), 0.01))
    wanted = (east - west) / kilometre / 4
    power = 10 ** math.floor(math.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    share = length * kilometre / (east - west)
    axes.plot([0.03, 0.03 + share], [0, 0], transform=_below(axes), color="black", linewidth=2.5,
              solid_capstyle="butt", clip_on=False)
    axes.text(0.045 + share, 0, f"{length:g} km", transform=_below(axes), va="center", fontsize=8)


def origins(axes, name, rows, resolution):
    """Where trips begin, as (trips, corners of a cell): cells of H3, with the scale of colours beside."""
    counts, corners = zip(*rows)
    # A few cells have most trips: on a linear scale all others look alike.
    is_wide = max(counts) > 50 * max(1, sorted(counts)[len(counts) // 2])
    norm = LogNorm(max(1, min(counts)), max(counts)) if is_wide else Normalize(0, max(counts))
    cells = PolyCollection(corners, array=counts, cmap="YlGnBu", norm=norm, edgecolors="white", linewidths=0.3)
    axes.add_collection(cells)
    points = [point for cell in corners for point in cell]
    (west, east), (south, north) = [(min(axis), max(axis)) for axis in zip(*points)]
    margin = max(east - west, north - south) * 0.04
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(south - margin, north + margin)
    # A kilometre is as long to the north as to the east.
    axes.set_aspect(1 / max(math.cos(math.radians((south + north) / 2)), 0.01))
    axes.set_title(label(f"Where trips begin: {name}", 60), loc="left", fontsize=10, fontweight="bold")
    axes.set_facecolor("#f7f7f5")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(GRID)
    _scale_bar(axes, west - margin, east + margin, (south + north) / 2)
    axes.text(0.97, 0, f"H3 cells, resolution {resolution}", transform=_below(axes), ha="right", va="center",
              fontsize=8, color=MUTED)
    _bar(axes, cells, not is_wide)


def hours(axes, name, rows):
    """When trips begin, as (ISO weekday, hour, trips): a row for each weekday."""
    table = [[0] * 24 for _ in DAYS]
    for weekday, hour, trips in rows:
        table[int(weekday) - 1][int(hour)] = int(trips)
    image = axes.imshow(table, cmap="YlGnBu", aspect="auto", vmin=0)
    axes.set_title(label(f"When trips begin: {name}", 60), loc="left", fontsize=10, fontweight="bold")
    axes.set_yticks(range(7), DAYS, fontsize=8)
    axes.set_xticks(range(0, 24, 3), [f"{hour}:00" for hour in range(0, 24, 3)], fontsize=8)
    axes.set_xticks([hour - 0.5 for hour in range(1, 24)], minor=True)
    axes.set_yticks([day - 0.5 for day in range(1, 7)], minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    _bar(axes, image, True)
