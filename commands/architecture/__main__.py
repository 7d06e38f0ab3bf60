"""`make architecture`: draw the architecture anew, and print what each arrow counts.

An entry of its own beside `commands.app`, whose commands run without the packages of the tests, such as grimp.
"""

from __future__ import annotations

from commands.architecture.imports import PROJECT, read
from commands.architecture.picture import draw

FILE = PROJECT / "docs" / "architecture.svg"


def main() -> None:
    """Draw the picture of the code, and print how many imports go from one package to another."""
    architecture = read()
    FILE.write_text(draw(architecture), encoding="utf-8")
    for (importer, imported), number in architecture.arrows.items():
        print(f"{importer} -> {imported}: {number}")
    print(f"drawn into {FILE.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
