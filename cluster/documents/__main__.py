"""Write the documents that are rendered from the code: PROTOCOL.md, and parts of SOURCES.md.

python -m cluster.documents            writes them
python -m cluster.documents --check    exits 1 if one is not what would be written
"""

import sys
from collections.abc import Callable
from pathlib import Path

from cluster.documents import protocol_doc, sources_doc

ROOT = Path(__file__).resolve().parents[2]
#: name -> the text that it should have, from the one that it has
DOCUMENTS: dict[str, Callable[[str], str]] = {
    "PROTOCOL.md": lambda _: protocol_doc.render(),
    "SOURCES.md": sources_doc.render,
}


def main(arguments: list[str]) -> int:
    """Write the documents, or with --check say which are stale."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m cluster.documents [--check]\n")
        return 2
    stale = []
    for name, render in DOCUMENTS.items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8") if path.is_file() else ""
        new = render(old)
        if new == old:
            continue
        stale.append(name)
        if not arguments:
            path.write_text(new, encoding="utf-8")
    if arguments and stale:
        sys.stderr.write(f"stale: {', '.join(stale)}; run `make documents`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
