"""Reading a patch, whichever of the formats it is in."""

from __future__ import annotations

from turnlog.adapters.tools.patches.envelope import BEGIN, read_envelope
from turnlog.adapters.tools.patches.patch import CR, FilePatch
from turnlog.adapters.tools.patches.unified import read_unified
from turnlog.domain.errors import ToolFailed

PATCH_LIMIT = 1024 * 1024
FILES_LIMIT = 100

NO_PATCH = (
    "This is no patch. Begin with '*** Begin Patch', or name the first file of a unified diff by "
    "'--- a/PATH' and '+++ b/PATH'."
)


def read_patch(patch: str) -> list[FilePatch]:
    """What the patch says of each file; raises `ToolFailed`."""
    try:
        data = patch.encode()
    except UnicodeEncodeError:
        raise ToolFailed("The patch holds half a surrogate pair, so it is no text.") from None
    if len(data) > PATCH_LIMIT:
        raise ToolFailed(
            f"The patch has {len(data):,} bytes, and {PATCH_LIMIT:,} are taken at once. Give it in "
            "several parts, each for some of the files."
        )
    if b"\0" in data:
        raise ToolFailed("The patch holds a NUL, which no text has.")
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if len(lines) > 1 and all(line.endswith(CR) for line in lines[:-1]):
        # The patch itself came with such line ends; a diff of such a file has bare headers.
        lines = [line.removesuffix(CR) for line in lines]
    begin = next((at for at, line in enumerate(lines) if line.strip()), 0)
    if lines and lines[begin].strip() == BEGIN:
        files = read_envelope(lines, begin)
    else:
        files = read_unified(lines)
    if not files:
        raise ToolFailed(NO_PATCH)
    if len(files) > FILES_LIMIT:
        raise ToolFailed(
            f"The patch is for {len(files):,} files, and {FILES_LIMIT} are taken at once. Give it "
            "in several parts."
        )
    return files
