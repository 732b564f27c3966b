"""What an asset may be called: its name becomes a folder of the output, on any system."""

from __future__ import annotations

import unicodedata

from meshopt.errors import InputError

LONGEST = 200  # bytes of UTF-8; file systems allow 255
FORBIDDEN = '/\\:*?"<>|'
CONTROLS = ("Cc", "Cf", "Zl", "Zp")  # Unicode's categories: also marks of the direction of writing
OWN = ("status.jsonl", "summary.csv", "summary.parquet", "errors", "status")  # what a batch itself writes
DEVICES = ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)))


def check_name(name: str, origin: str) -> None:
    """Raises InputError, which begins with `origin`, where a name cannot be that of a folder in the output."""
    reason = _reason(name)
    if reason is not None:
        raise InputError(f"{origin}: the name {_shown(name)} {reason}; expected that of a folder, such as chair_01")


def comparable(name: str) -> str:
    """Equal for names that a file system may take for the same."""
    return unicodedata.normalize("NFKC", name).casefold()


def has_control(text: str) -> bool:
    """Whether a character steers terminals, or the direction of writing."""
    return not text.isprintable() and any(unicodedata.category(letter) in CONTROLS for letter in text)


def _reason(name: str) -> str | None:
    """Why not."""
    if not name.strip():
        return "is empty"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is no Unicode text"
    if size > LONGEST:
        return f"has {size} bytes, more than {LONGEST}"
    if has_control(name):
        return "has a control character"
    found = next((letter for letter in name if letter in FORBIDDEN), None)
    if found is not None:
        return f"has a {found}"
    if name != name.strip(" ") or name.endswith("."):
        return "begins or ends with a space, or ends with a dot"
    if name.startswith("."):
        return "begins with a dot"
    if comparable(name) in OWN:
        return "is that of a file that the batch writes"
    if comparable(name).partition(".")[0] in DEVICES:
        return "is that of a device on Windows"
    return None


def _shown(name: str) -> str:
    text = name if len(name) <= 60 else f"{name[:57]}..."
    return ascii(text) if not text.isprintable() else f"'{text}'"
