"""Reads what PDFium says is drawn on a page besides its characters: straight strokes, images, letters it leaves out."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium_c

from nlp.readers.pdf.geometry import product

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nlp.readers.pdf.geometry import Matrix, Point

_THIN = 3.0  # a filled box up to this thickness is a ruling line; the thickest borders that Word offers are 6 pt, rare
_OUTLINES = 5000  # path segments: more than any table has, fewer than a page of letters turned into outlines
_NO_WIDTH = 0.02  # points; PDFium gives text without a width a box of 0, but for rounding
_DEPTH_MAX = 8  # forms inside forms; a damaged file may hold one that holds itself
_UNMOVED: Matrix = (1, 0, 0, 1, 0, 0)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a page has besides its characters.

    Attributes:
        strokes: The straight ones; thin filled boxes count too.
        may_be_picture: Whether it has an image, or letters drawn as outlines.
        misses_letters: Whether PDFium left letters out: it drops a piece of text that has no width, and a lone letter
            has none where its font is neither in the file nor on the machine.
    """

    strokes: list[tuple[Point, Point]]
    may_be_picture: bool
    misses_letters: bool


def drawing_of(page: Any) -> Drawing:
    """Return what is drawn on a page."""
    strokes: list[tuple[Point, Point]] = []
    has_image = misses_letters = False
    segments = 0
    for item, matrix in _objects(page, _UNMOVED):
        kind = pdfium_c.FPDFPageObj_GetType(item)
        if kind == pdfium_c.FPDF_PAGEOBJ_IMAGE:
            has_image = True
        elif kind == pdfium_c.FPDF_PAGEOBJ_TEXT:
            misses_letters = misses_letters or _is_left_out(item)
        elif kind == pdfium_c.FPDF_PAGEOBJ_PATH:
            segments += pdfium_c.FPDFPath_CountSegments(item)
            strokes.extend(_strokes_of_path(item, matrix))
    return Drawing(strokes, has_image or segments > _OUTLINES, misses_letters)


def _objects(parent: Any, outer: Matrix, depth: int = 0) -> Iterator[tuple[Any, Matrix]]:
    """Yield the objects of a page, those inside form objects too, each with the matrix that leads to the page."""
    if depth == 0:
        count, get = pdfium_c.FPDFPage_CountObjects, pdfium_c.FPDFPage_GetObject
    else:
        count, get = pdfium_c.FPDFFormObj_CountObjects, pdfium_c.FPDFFormObj_GetObject
    own = pdfium_c.FS_MATRIX()
    for index in range(count(parent)):
        item = get(parent, index)
        pdfium_c.FPDFPageObj_GetMatrix(item, own)
        matrix = product((own.a, own.b, own.c, own.d, own.e, own.f), outer)
        yield item, matrix
        if depth < _DEPTH_MAX and pdfium_c.FPDFPageObj_GetType(item) == pdfium_c.FPDF_PAGEOBJ_FORM:
            yield from _objects(item, matrix, depth + 1)


def _is_left_out(item: Any) -> bool:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    pdfium_c.FPDFPageObj_GetBounds(item, left, bottom, right, top)
    is_narrow = min(right.value - left.value, top.value - bottom.value) < _NO_WIDTH
    return is_narrow and pdfium_c.FPDFFont_GetIsEmbedded(pdfium_c.FPDFTextObj_GetFont(item)) == 0


def _strokes_of_path(item: Any, matrix: Matrix) -> Iterator[tuple[Point, Point]]:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium_c.FPDFPath_GetDrawMode(item, fill, stroke)
    for points in _subpaths(item, matrix):
        if stroke.value:
            yield from pairwise(points)
        elif fill.value:
            yield from _filled_stroke(points)


def _filled_stroke(points: list[Point]) -> Iterator[tuple[Point, Point]]:
    """Yield the stroke that a thin filled box stands for; a thick one is shading and says nothing of borders.

    >>> list(_filled_stroke([(0, 10), (100, 10), (100, 12), (0, 12)]))
    [((0, 11.0), (100, 11.0))]
    """
    xs, ys = [x for x, _ in points], [y for _, y in points]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    if height <= _THIN < width:
        yield (min(xs), sum(ys) / len(ys)), (max(xs), sum(ys) / len(ys))
    elif width <= _THIN < height:
        yield (sum(xs) / len(xs), min(ys)), (sum(xs) / len(xs), max(ys))


def _subpaths(item: Any, matrix: Matrix) -> Iterator[list[Point]]:
    """Yield the points of each subpath on the page, up to the first that a damaged file puts nowhere."""
    a, b, c, d, e, f = matrix
    x, y = ctypes.c_float(), ctypes.c_float()
    points: list[Point] = []
    for index in range(pdfium_c.FPDFPath_CountSegments(item)):
        segment = pdfium_c.FPDFPath_GetPathSegment(item, index)
        pdfium_c.FPDFPathSegment_GetPoint(segment, x, y)
        point = (a * x.value + c * y.value + e, b * x.value + d * y.value + f)
        if not all(map(math.isfinite, point)):
            return
        if pdfium_c.FPDFPathSegment_GetType(segment) == pdfium_c.FPDF_SEGMENT_MOVETO:
            if points:
                yield points
            points = []
        points.append(point)
        if pdfium_c.FPDFPathSegment_GetClose(segment):
            points.append(points[0])
    if points:
        yield points
