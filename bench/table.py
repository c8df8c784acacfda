"""The table of figures and its place in the documentation."""

import datetime
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "explanation" / "performance.md"
README = ROOT / "README.md"


def met(good):
    return "yes" if good else "no"


def made_by():
    """The command that makes the figures, when it did and where."""
    command = " ".join([f"bench/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    today = datetime.date.today().isoformat()
    return f"Made by `{command}` on {today}, {os.cpu_count()} cores (load generator included)"


def markdown(rows, options, other):
    """Rows of (what, the other's figure, ours, ratio, goal, met)."""
    lines = [
        f"{made_by()}, medians of "
        f"{options.rounds} alternating windows of {options.seconds} s; ratios are medians of each round's.",
        "",
        f"| what | {other} | Gatepost | ratio | goal | met |",
        "|---|---|---|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines)


def write(name, table, *documents):
    """Puts the table between the markers of this name in each document."""
    begin, end = f"<!-- {name} begins -->", f"<!-- {name} ends -->"
    for document in documents:
        head, _, rest = document.read_text().partition(begin)
        _, found, tail = rest.partition(end)
        if not found:
            raise SystemExit(f"{document} has lost its markers {begin} and {end}")
        document.write_text(f"{head}{begin}\n{table}\n{end}{tail}")
        print(f"Written to {document}", file=sys.stderr)
