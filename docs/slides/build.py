"""Two decks of the same frames: `python docs/slides/build.py FOLDER [PROGRAM]`; see README.md."""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def build(folder: Path, program: str = "thermometer") -> None:
    """Frames of ``program``, ``deck.html`` and ``deck.tex`` in ``folder``."""
    words = [
        "render",
        program,
        "--view",
        "steps",
        "-f",
        "svg",
        "-f",
        "pdf",
        "--fit",
        "16:9",
        "-o",
        str(folder),
    ]
    subprocess.run([sys.executable, "-m", "autograd_tour", *words], check=True)
    (slide,) = folder.glob("*-steps.tex")
    frames = slide.with_suffix(".svg").read_text(encoding="utf-8")
    deck = (HERE / "deck.html").read_text(encoding="utf-8")
    (folder / "deck.html").write_text(deck.replace("<!-- frames -->", frames), encoding="utf-8")
    slide.replace(folder / "frames.tex")
    shutil.copy(HERE / "deck.tex", folder)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("python docs/slides/build.py FOLDER [PROGRAM]")
    build(Path(sys.argv[1]), *sys.argv[2:3])
