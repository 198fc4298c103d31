"""PDF as a reader of PDF sees it, and pictures as numbers. Used by several tests."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from ctypes import create_string_buffer

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image, ImageFilter

SVG = "{http://www.w3.org/2000/svg}"


def words(svg):
    """All text that an SVG shows, without spaces."""
    return "".join("".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")).replace(
        " ", ""
    )


def texts(content):
    """The text of each page, as it is when copied."""
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(content)]


def title(content):
    """What readers of PDF show above the document."""
    return pypdfium2.PdfDocument(content).get_metadata_value("Title")


def squeezed(text):
    return re.sub(r"\s", "", text)


def found(content, text):
    """How often searching the PDF finds ``text``."""
    hits = 0
    for page in pypdfium2.PdfDocument(content):
        searcher = page.get_textpage().search(text, match_case=True)
        while searcher.get_next():
            hits += 1
    return hits


def fonts(content):
    """(name, whether it is embedded) of every font in use."""
    used = set()
    for page in pypdfium2.PdfDocument(content):
        for item in page.get_objects([pdfium.FPDF_PAGEOBJ_TEXT], max_depth=20):
            font = pdfium.FPDFTextObj_GetFont(item.raw)
            name = create_string_buffer(200)
            pdfium.FPDFFont_GetBaseFontName(font, name, 200)
            used.add((name.value.decode(), bool(pdfium.FPDFFont_GetIsEmbedded(font))))
    return used


def image(content):
    return Image.open(io.BytesIO(content)).convert("RGB")


def page_image(content, number=0, scale=2.0):
    return pypdfium2.PdfDocument(content)[number].render(scale=scale / 0.75).to_pil().convert("RGB")


def difference(one, other, blur=3.0):
    """(mean, largest) absolute difference of two pictures of about the same size, 0 to 255.

    A little blurred, since libraries smooth the edges of letters in different ways.
    """
    assert max(abs(a - b) for a, b in zip(one.size, other.size, strict=True)) <= 2, (one.size, other.size)
    # Without the last row and column: half a pixel of the picture may be in them.
    corner = (0, 0, min(one.width, other.width) - 1, min(one.height, other.height) - 1)
    a, b = (
        np.asarray(picture.crop(corner).filter(ImageFilter.GaussianBlur(blur)), float)
        for picture in (one, other)
    )
    apart = np.abs(a - b)
    return float(apart.mean()), float(apart.max())
