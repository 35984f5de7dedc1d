"""applyPatch takes both formats, and says what does not fit so that it can be mended."""

from __future__ import annotations

import asyncio
import os
import stat
import time
import tracemalloc
from pathlib import Path

import pytest

from tests.tools.calls import call, refusal
from tests.tools.conftest import SECRET
from tests.tools.test_confinement import ESCAPES
from tests.tools.trees import plant, tree
from turnlog.adapters.tools import ApplyPatch, Workspace
from turnlog.adapters.tools.beneath import Opener
from turnlog.adapters.tools.patches.reading import FILES_LIMIT, PATCH_LIMIT
from turnlog.adapters.tools.planning import FILE_LIMIT

PROGRAM = """\
import sys

class First:
    def run(self):
        return 1

class Second:
    def run(self):
        return 1

if __name__ == "__main__":
    sys.exit(First().run())
"""


def envelope(*lines: str) -> str:
    return "\n".join(("*** Begin Patch", *lines, "*** End Patch"))


def update(*lines: str, path: str = "a.py") -> str:
    return envelope(f"*** Update File: {path}", *lines)


def unified(*lines: str, old: str = "a/a.py", new: str = "b/a.py") -> str:
    return "\n".join((f"--- {old}", f"+++ {new}", *lines, ""))


# ----------------------------------------------------------------- envelopes


async def test_one_patch_changes_creates_renames_and_deletes(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": PROGRAM, "old.txt": "gone", "src/b.py": "one\ntwo\n"})

    told = await call(
        apply_patch,
        patch=envelope(
            "*** Update File: a.py",
            "@@",
            " import sys",
            "+import os",
            " ",
            "*** Add File: new/notes.txt",
            "+first",
            "+",
            "+third",
            "*** Delete File: old.txt",
            "*** Update File: src/b.py",
            "*** Move to: lib/c.py",
            "-two",
            "+2",
        ),
    )

    assert told == (
        "Done:\nupdated a.py (+1 -0)\ncreated new/notes.txt (+3 -0)\ndeleted old.txt\n"
        "renamed src/b.py -> lib/c.py (+1 -1)"
    )
    assert tree(folder) == {
        "a.py": PROGRAM.replace("sys\n", "sys\nimport os\n", 1).encode(),
        "lib": "folder",
        "lib/c.py": b"one\n2\n",
        "new": "folder",
        "new/notes.txt": b"first\n\nthird\n",
        "src": "folder",
    }


async def test_the_line_after_the_marks_says_where(folder: Path, apply_patch: ApplyPatch) -> None:
    plant(folder, {"a.py": PROGRAM})
    hunk = ["-        return 1", "+        return 2"]
    await call(apply_patch, patch=update("@@ class Second:", *hunk))
    assert (folder / "a.py").read_bytes() == PROGRAM.replace(
        "return 1\n\nif", "return 2\n\nif"
    ).encode()
    await call(apply_patch, patch=update("@@ class First:", "@@ def run(self):", *hunk))
    assert b"return 1" not in (folder / "a.py").read_bytes()


async def test_a_line_that_stands_in_several_places_says_nothing_of_where(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": PROGRAM})
    hunk = ["-        return 1", "+        return 2"]
    told = await refusal(apply_patch, patch=update("@@ def run(self):", *hunk))
    assert "fits in 2 places, at the lines 5, 9 of the file" in told
    assert tree(folder) == {"a.py": PROGRAM.encode()}


async def test_hunks_follow_one_another(folder: Path, apply_patch: ApplyPatch) -> None:
    plant(folder, {"a.py": PROGRAM})
    await call(
        apply_patch,
        patch=update(
            "@@ class Second:",
            " class Second:",
            "-    def run(self):",
            "+    def go(self):",
            "         return 1",
            "@@",
            "-    sys.exit(First().run())",
            "+    sys.exit(Second().go())",
            "*** End of File",
        ),
    )
    assert (
        (folder / "a.py")
        .read_text()
        .endswith(
            "class Second:\n    def go(self):\n        return 1\n\n"
            'if __name__ == "__main__":\n    sys.exit(Second().go())\n'
        )
    )
    told = await refusal(
        apply_patch,
        patch=update("@@", "-class Second:", "+class Last:", "@@", "-import sys", "+import os"),
    )
    assert "Hunk 2 for 'a.py' (line 6 of the patch, '@@') does not fit" in told
    assert "'import sys', is not after line 7" in told


async def test_lines_are_added_at_the_end_if_it_is_said_so(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": "1\n2\n1\n"})
    await call(apply_patch, patch=update("@@", " 1", "+3", "*** End of File"))
    await call(apply_patch, patch=update("@@", "+4", "*** End of File"))
    assert (folder / "a.py").read_text() == "1\n2\n1\n3\n4\n"
    told = await refusal(apply_patch, patch=update("@@", " 2", "+5", "*** End of File"))
    assert "It fits at line 2, which is not the end of the file" in told
    told = await refusal(apply_patch, patch=update("@@", "+5"))
    assert "new lines only" in told


async def test_an_envelope_may_have_line_numbers_too(folder: Path, apply_patch: ApplyPatch) -> None:
    plant(folder, {"a.py": PROGRAM})
    hunk = ["-        return 1", "+        return 2"]
    await call(apply_patch, patch=update("@@ -9,1 +9,1 @@", *hunk))
    assert "return 2\n\nif" in (folder / "a.py").read_text()


# -------------------------------------------------------------- unified diffs


async def test_a_diff_of_git_is_applied(folder: Path, apply_patch: ApplyPatch) -> None:
    plant(folder, {"a.py": PROGRAM, "old name.txt": "1\n2\n3\n", "gone.txt": "1\n", "same": "x"})
    plant(folder, {"run.sh": "#!/bin/sh\n", "empty": ""})

    told = await call(
        apply_patch,
        patch="""\
From 0123 Mon Sep 17 00:00:00 2001
Subject: [PATCH] Everything at once

---
 a.py | 2 +-

diff --git a/a.py b/a.py
index 83db48f..bf269f4 100644
--- a/a.py
+++ b/a.py
@@ -1,4 +1,4 @@
-import sys
+import os
 
 class First:
     def run(self):
diff --git a/old name.txt "b/n\\303\\244me.txt"
similarity index 66%
rename from old name.txt
rename to "n\\303\\244me.txt"
--- a/old name.txt\t
+++ "b/n\\303\\244me.txt"
@@ -1,3 +1,3 @@
 1
-2
+two
 3
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-1
diff --git a/bin/new b/bin/new
new file mode 100755
--- /dev/null
+++ b/bin/new
@@ -0,0 +1,2 @@
+#!/bin/sh
+true
\\ No newline at end of file
diff --git a/same b/other
similarity index 100%
rename from same
rename to other
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git a/nothing b/nothing
new file mode 100644
index 0000000..e69de29
diff --git a/empty b/empty
deleted file mode 100644
index e69de29..0000000
-- 
2.39.5

""",
    )

    assert told.splitlines()[1:] == [
        "updated a.py (+1 -1)",
        "renamed old name.txt -> näme.txt (+1 -1)",
        "deleted gone.txt",
        "created bin/new (+2 -0)",
        "renamed same -> other",
        "updated run.sh (+0 -0)",
        "created nothing (+0 -0)",
        "deleted empty",
    ]
    assert tree(folder) == {
        "a.py": PROGRAM.replace("sys", "os", 1).encode(),
        "bin": "folder",
        "bin/new": b"#!/bin/sh\ntrue",
        "nothing": b"",
        "näme.txt": b"1\ntwo\n3\n",
        "other": b"x",
        "run.sh": b"#!/bin/sh\n",
    }
    assert (folder / "bin/new").stat().st_mode & stat.S_IXUSR
    assert (folder / "run.sh").stat().st_mode & stat.S_IXUSR
    assert not (folder / "a.py").stat().st_mode & stat.S_IXUSR


async def test_paths_without_the_prefixes_of_git_are_taken_as_they_are(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": "1\n", "a/a.py": "1\n"})
    hunk = ["@@ -1 +1 @@", "-1", "+2"]
    await call(apply_patch, patch=unified(*hunk, old="a.py\t2026-01-01", new="a.py\t2026-01-02"))
    await call(apply_patch, patch=unified(*hunk, old="a/a.py", new="a/a.py"))
    assert tree(folder) == {"a": "folder", "a.py": b"2\n", "a/a.py": b"2\n"}


async def test_a_hunk_may_be_a_few_lines_away_if_it_fits_in_one_place_only(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": "new\n" * 30 + PROGRAM})
    told = await call(
        apply_patch,
        patch=unified(
            "@@ -1,3 +1,3 @@",
            "-import sys",
            "+import os",
            " ",
            " class First:",
            "@@ -8,2 +8,2 @@ class Second:",
            "     def run(self):",
            "-        return 1",
            "+        return 2",
        ),
    )
    assert "hunk 1 at line 31, hunk 2 at line 38" in told
    assert "return 2\n\nif" in (folder / "a.py").read_text()


async def test_a_hunk_that_fits_in_several_places_but_not_at_its_number_is_refused(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": "\n" + PROGRAM})
    hunk = ["     def run(self):", "-        return 1", "+        return 2"]
    told = await refusal(apply_patch, patch=unified("@@ -4,2 +4,2 @@", *hunk))
    assert told == (
        "Hunk 1 for 'a.py' (line 3 of the patch, '@@ -4,2 +4,2 @@') does not fit. It fits in 2 "
        "places, at the lines 5, 9 of the file. Give more lines of context, until it fits in "
        "one. Nothing was changed."
    )
    await call(apply_patch, patch=unified("@@ -9,2 +9,2 @@", *hunk))
    assert "return 2\n\nif" in (folder / "a.py").read_text()


@pytest.mark.parametrize("header", ["@@ -8,77 +8,2 @@", "@@ -8 +8 @@", "@@ ... @@", "@@"])
async def test_a_header_that_counts_badly_does_no_harm(
    folder: Path, apply_patch: ApplyPatch, header: str
) -> None:
    plant(folder, {"a.py": PROGRAM, "b.py": PROGRAM})
    hunk = [
        header,
        " class Second:",
        "     def run(self):",
        "-        return 1",
        "+        return 2",
    ]
    patch = unified(*hunk, "", "") + unified(*hunk, old="a/b.py", new="b/b.py")
    await call(apply_patch, patch=patch)
    expected = PROGRAM.replace("return 1\n\nif", "return 2\n\nif").encode()
    assert tree(folder) == {"a.py": expected, "b.py": expected}


async def test_lines_that_look_like_a_header_are_told_from_one_by_the_counts(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": "-- a/b\n-- \nend\n"})
    await call(
        apply_patch,
        patch=unified("@@ -1,3 +1,3 @@", "--- a/b", "+++ b/b", "--- ", "+++ ", " end"),
    )
    assert (folder / "a.py").read_text() == "++ b/b\n++ \nend\n"


# ----------------------------------------------------------- ends of lines


@pytest.mark.parametrize("patch_ends", ["\n", "\r\n"])
async def test_a_file_with_the_line_ends_of_dos_keeps_them(
    folder: Path, apply_patch: ApplyPatch, patch_ends: str
) -> None:
    plant(folder, {"a.py": "one\r\ntwo\r\nthree"})
    patch = update("@@", " one", "-two", "+2", "+and a half", " three", "+four")
    await call(apply_patch, patch=patch.replace("\n", patch_ends))
    assert tree(folder) == {"a.py": b"one\r\n2\r\nand a half\r\nthree\r\nfour"}


async def test_a_diff_that_has_the_line_ends_of_dos_means_them(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": "one\r\ntwo\r\n"})
    patch = unified("@@ -1,2 +1,2 @@", "-one\r", "+1", " two\r")
    await call(apply_patch, patch=patch)
    assert tree(folder) == {"a.py": b"1\ntwo\r\n"}
    assert "does not fit" in await refusal(apply_patch, patch=patch)


async def test_a_file_without_a_newline_at_its_end_stays_so_unless_the_patch_speaks_of_it(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    no_newline = "\\ No newline at end of file"
    plant(folder, {"a.py": "one\ntwo"})
    await call(apply_patch, patch=unified("@@ -1,2 +1,2 @@", " one", "-two", "+2"))
    assert tree(folder) == {"a.py": b"one\n2"}
    await call(apply_patch, patch=unified("@@ -2 +2 @@", "-2", no_newline, "+two"))
    assert tree(folder) == {"a.py": b"one\ntwo\n"}
    await call(apply_patch, patch=unified("@@ -2 +2 @@", "-two", "+2", no_newline))
    assert tree(folder) == {"a.py": b"one\n2"}
    await call(apply_patch, patch=unified("@@ -1,2 +1,2 @@", "-one", "+1", " 2", no_newline))
    assert tree(folder) == {"a.py": b"1\n2"}


async def test_a_newline_at_the_end_that_is_said_not_to_be_there_is_refused(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": "one\n"})
    told = await refusal(
        apply_patch,
        patch=unified("@@ -1 +1 @@", "-one", "\\ No newline at end of file", "+1"),
    )
    assert "It says that there is no newline at the end of the file, but there is one" in told


async def test_bytes_that_are_no_utf8_stay_as_they_are(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": b"Gr\xfc\xdfe\nof 1990\n"})
    await call(apply_patch, patch=update("@@", "-of 1990", "+von 1990 – ü"))
    assert tree(folder) == {"a.py": b"Gr\xfc\xdfe\n" + "von 1990 – ü\n".encode()}


# ------------------------------------------------------------ does not fit


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            ["@@ -4,2 +4,2 @@", "     def run(self):", "-        return 2", "+        return 3"],
            "Its first line fits at line 4 of the file, but then '        return 2' is expected, "
            "and '        return 1' stands there (line 5).",
        ),
        (
            ["@@ -3,1 +3,1 @@", "-class Third:", "+class Fourth:"],
            "At line 3 of the file 'class Third:' is expected, and 'class First:' stands there "
            "(line 3).",
        ),
        (
            ["@@ -3,1 +3,1 @@", "-class  First: ", "+class Fourth:"],
            "At line 3 of the file 'class  First: ' is expected, and 'class First:' stands there "
            "(line 3). They differ in white space only.",
        ),
        (
            ["@@ -90,1 +90,1 @@", "-class Third:", "+class Fourth:"],
            "At line 90 of the file 'class Third:' is expected, and the file has only 12 lines.",
        ),
        (
            ["@@", "     sys.exit(First().run())", "-more", "+less"],
            "Its first line fits at line 12 of the file, but then 'more' is expected, and the "
            "file has only 12 lines.",
        ),
        (
            ["@@", "-class\tFirst:", "+x"],
            "Its first line, 'class\tFirst:', is not in the file; line 3 differs from it in "
            "white space only. readFile shows what is.",
        ),
        (
            ["@@ class Third:", "-import sys", "+x"],
            "Its header names the line 'class Third:', which is not in the file.",
        ),
        (
            ["@@ class Second:", "@@ class First:", "-import sys", "+x"],
            "Its header names the line 'class First:', which is not after the lines before it.",
        ),
        (
            ["@@ class Second:", "-import sys", "+x"],
            "Its first line, 'import sys', is not after line 6. readFile shows what is.",
        ),
    ],
)
async def test_what_was_expected_is_told_against_what_stands_there(
    folder: Path, apply_patch: ApplyPatch, lines: list[str], reason: str
) -> None:
    plant(folder, {"a.py": PROGRAM})
    told = await refusal(apply_patch, patch=unified(*lines))
    assert told == (
        f"Hunk 1 for 'a.py' (line 3 of the patch, '{lines[0]}') does not fit. {reason} "
        "Nothing was changed."
    )


async def test_of_long_lines_it_is_told_where_they_differ(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": "x" * 5000 + "is" + "y" * 5000 + "\n"})
    told = await refusal(
        apply_patch, patch=unified("@@ -1 +1 @@", f"-{'x' * 5000}was{'y' * 5000}", "+z")
    )
    assert "xxxwasyyy" in told
    assert "xxxisyyy" in told
    assert len(told) < 1000


async def test_a_patch_of_which_one_hunk_does_not_fit_changes_nothing(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": PROGRAM, "b.py": PROGRAM, "gone": "x"})
    before = tree(folder)
    told = await refusal(
        apply_patch,
        patch=envelope(
            "*** Add File: new/c.py",
            "+new",
            "*** Delete File: gone",
            "*** Update File: a.py",
            "-import sys",
            "+import os",
            "*** Update File: b.py",
            "-import sys",
            "+import os",
            "@@ class First:",
            "-    def walk(self):",
        ),
    )
    assert told.startswith("Hunk 2 for 'b.py' (line 11 of the patch, '@@ class First:')")
    assert told.endswith("Nothing was changed.")
    assert tree(folder) == before


async def test_braces_in_a_line_are_told_as_they_are(folder: Path, apply_patch: ApplyPatch) -> None:
    plant(folder, {"{a}.py": "{0}{path}\n"})
    told = await refusal(apply_patch, patch=update("@@ {path}", "-{reason}", "+{}", path="{a}.py"))
    assert "'{path}', which is not in the file" in told
    told = await refusal(apply_patch, patch=update("@@ {0}{path}", "-{reason}", path="{a}.py"))
    assert "'{reason}', is not in the file" in told


# ------------------------------------------------------------- no patch


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ("", "This is no patch."),
        ("Please change a.py", "This is no patch."),
        ("@@ -1 +1 @@\n-a\n+b\n", "Line 1 of the patch: a hunk, but no file before it"),
        (envelope(), "This is no patch."),
        ("*** Begin Patch\n*** Delete File: a.py\n", "ends without '*** End Patch'"),
        (envelope("*** Delete File: a.py") + "\nrest", "there is more after"),
        (envelope("*** Rename File: a.py"), "Line 2 of the patch: '*** Add File: PATH'"),
        (update(), "no hunk follows"),
        (update("@@"), "Line 3 of the patch: a hunk follows in which nothing is changed"),
        (update("@@", " import sys"), "nothing is changed"),
        (update("@@", "import sys", "-x"), "nothing is changed"),
        (update("-import sys", "+import os", "import re"), "Line 5 of the patch"),
        (update(*["@@ class A:"] * 9, "-x"), "over 8 lines"),
        (envelope("*** Add File: new", "no plus"), "the '+', '-' or space before"),
        (unified(), "Line 2 of the patch: no hunk ('@@ -1,2 +1,3 @@') follows"),
        (unified("@@ -1 +1 @@", "-import sys", "+import os", "what is this?"), "Line 6 of the"),
        (unified("@@ -1 +1 @", "-import sys", "+import os"), "Its header names the line '-1 +1 @'"),
        ("diff --git a/a.py b/a.py\nindex 1..2\n", "says nothing of what is to become of 'a.py'"),
        ("diff --git a/a.py b/a.py\nBinary files a/a.py and b/a.py differ\n", "binary files"),
        ("diff --git a/a b/a\nnew file mode 100644\nGIT binary patch\nliteral 3\n", "binary files"),
        ("diff --git a/a b/a\nnew file mode 120000\n--- /dev/null\n", "links and submodules"),
        ("diff --git a/a b/b\ncopy from a\ncopy to b\n", "files are not copied"),
        ("diff --git a/a b/b\nnew file mode 100644\n", "no file is named here"),
        ("--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", "no file is named here"),
        ("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-\0\n", "holds a NUL"),
        ("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-\udc80\n", "half a surrogate pair"),
    ],
)
async def test_what_is_no_patch_is_refused_with_the_line(
    folder: Path, apply_patch: ApplyPatch, patch: str, words: str
) -> None:
    plant(folder, {"a.py": PROGRAM})
    told = await refusal(apply_patch, patch=patch)
    assert words in told
    assert told.endswith("Nothing was changed.")
    assert tree(folder) == {"a.py": PROGRAM.encode()}


# ------------------------------------------------------------- which files


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (["*** Update File: new", "+x"], "There is no 'new'"),
        (["*** Delete File: new"], "There is no 'new'"),
        (["*** Add File: a.py", "+x"], "There is already a 'a.py'"),
        (["*** Add File: src", "+x"], "There is already a 'src'"),
        (["*** Add File: a.py/b", "+x"], "is not a folder"),
        (["*** Update File: a.py", "*** Move to: b.py"], "There is already a 'b.py'"),
        (["*** Update File: a.py", "*** Move to: src"], "There is already a 'src'"),
        (["*** Delete File: a.py", "*** Delete File: ./src/../a.py"], "is in the patch twice"),
        (["*** Delete File: a.py", "*** Add File: a.py", "+x"], "is in the patch twice"),
        (["*** Add File: n/x", "+x", "*** Add File: ./n//x", "+x"], "is in the patch twice"),
        (["*** Update File: link", "-1", "+2", "*** Delete File: a.py"], "is in the patch twice"),
        (["*** Delete File: src"], "'src' is a folder"),
        (["*** Update File: src", "+x"], "'src' is a folder"),
        (["*** Delete File: link"], "'link' is a link"),
        (["*** Update File: link", "*** Move to: c"], "'link' is a link"),
        (["*** Delete File: pipe"], "no regular file"),
        (["*** Update File: pipe", "+x"], "no regular file"),
        (["*** Update File: binary", "-x"], "is a binary file of 4 bytes"),
        (["*** Delete File: .git/config"], "belongs to a repository of git"),
        (["*** Update File: a.py", "*** Move to: .git/hooks/x"], "belongs to a repository of git"),
        (["*** Update File: large", "-x"], "only smaller files are patched"),
    ],
)
async def test_files_that_are_not_as_the_patch_wants_them_are_refused(
    folder: Path, apply_patch: ApplyPatch, sections: list[str], words: str
) -> None:
    plant(folder, {"a.py": "1\n", "b.py": "2\n", "src/x": "", ".git/config": "", "binary": "\0abc"})
    (folder / "link").symlink_to("a.py")
    os.mkfifo(folder / "pipe")
    (folder / "large").touch()
    os.truncate(folder / "large", FILE_LIMIT + 1)
    before = tree(folder)
    async with asyncio.timeout(5):
        told = await refusal(apply_patch, patch=envelope(*sections))
    assert words in told
    assert told.endswith("Nothing was changed.")
    assert tree(folder) == before


@pytest.mark.parametrize("path", ESCAPES.values(), ids=ESCAPES)
async def test_no_path_of_a_patch_leads_outside(trap: Path, opener: Opener, path: str) -> None:
    apply_patch = ApplyPatch(Workspace(trap, opener=opener))
    before = tree(trap.parent)
    for patch in (
        envelope(f"*** Add File: {path}", "+x"),
        envelope(f"*** Update File: {path}", f"-{SECRET}", "+x"),
        envelope(f"*** Delete File: {path}"),
        envelope("*** Update File: src/a.txt", f"*** Move to: {path}"),
        unified("@@ -0,0 +1 @@", "+x", old="/dev/null", new=f"b/{path}"),
        unified("@@ -1 +0,0 @@", f"-{SECRET}", old=path, new="/dev/null"),
    ):
        assert "Nothing was changed." in await refusal(apply_patch, patch=patch)
        assert tree(trap.parent) == before


async def test_a_link_that_stays_inside_is_patched_where_it_leads(
    trap: Path, apply_patch: ApplyPatch
) -> None:
    await call(apply_patch, patch=update("-inside", "+patched", path="chain"))
    assert (trap / "chain").is_symlink()
    assert (trap / "src/a.txt").read_text() == "patched"


async def test_a_renamed_file_that_stays_as_it_is_is_the_same_file(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a": b"\0binary"})
    before = (folder / "a").stat()
    await call(apply_patch, patch=envelope("*** Update File: a", "*** Move to: new/b"))
    after = (folder / "new/b").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert tree(folder) == {"new": "folder", "new/b": b"\0binary"}


async def test_a_file_renamed_to_where_it_is_stays(folder: Path, apply_patch: ApplyPatch) -> None:
    plant(folder, {"a.py": "1\n"})
    await call(apply_patch, patch=update("*** Move to: ./a.py", "-1", "+2"))
    assert tree(folder) == {"a.py": b"2\n"}


async def test_a_changed_file_keeps_its_permissions(folder: Path, apply_patch: ApplyPatch) -> None:
    plant(folder, {"a.py": "1\n", "b.py": "1\n"})
    (folder / "a.py").chmod(0o750)
    (folder / "b.py").chmod(0o640)
    await call(
        apply_patch,
        patch=envelope(
            "*** Update File: a.py", "-1", "+2", "*** Update File: b.py", "*** Move to: c.py",
            "-1", "+2",
        ),
    )  # fmt: skip
    assert stat.S_IMODE((folder / "a.py").stat().st_mode) == 0o750
    assert stat.S_IMODE((folder / "c.py").stat().st_mode) == 0o640


async def test_a_deletion_that_does_not_have_all_lines_is_refused(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": "1\n2\n3\n"})
    told = await refusal(apply_patch, patch=unified("@@ -1,1 +0,0 @@", "-1", new="/dev/null"))
    assert "does not have all of its lines: 2 are left" in told


# ------------------------------------------------------------------ limits


async def test_a_patch_of_a_million_lines_is_refused_at_once(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {"a.py": PROGRAM})
    patch = update(*["-import sys", "+import os"] * 500_000)
    tracemalloc.start()
    try:
        before = time.process_time()
        told = await refusal(apply_patch, patch=patch)
        took = time.process_time() - before
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert told == (
        f"The patch has {len(patch):,} bytes, and 1,048,576 are taken at once. Give it in several "
        "parts, each for some of the files. Nothing was changed."
    )
    assert took < 5
    assert peak < 2 * len(patch)


@pytest.mark.parametrize(
    "lines",
    [
        ["@@", *["-"] * 250_000, *["+"] * 250_000],
        ["@@", "+x"] * 100_000,
        ["@@ x"] * 200_000,
        [*["-", "+x"] * 200_000],
        ["@@ -1 +1 @@", "-x", "+y"] * 50_000,
        [" \\ No newline"] * 70_000,
    ],
    ids=["blank lines", "hunks", "headers", "by turns", "numbered", "odd ones"],
)
async def test_no_patch_within_the_limit_takes_for_ever(
    folder: Path, workspace: Workspace, lines: list[str]
) -> None:
    plant(folder, {"a.py": "\n" * 1_000_000 + "x\n"})
    patch = update(*lines)
    assert len(patch) <= PATCH_LIMIT
    before, cpu = tree(folder), time.process_time()
    told = await refusal(ApplyPatch(workspace, seconds=5), patch=patch)
    assert told.endswith("Nothing was changed.")
    assert time.process_time() - cpu < 30
    assert tree(folder) == before


async def test_thousands_of_hunks_without_numbers_find_their_places(
    folder: Path, workspace: Workspace
) -> None:
    lines = [f"{number:x}" for number in range(100_000)]
    hunks = (line for each in lines[::2] for line in ("@@", f"-{each}", f"+{each}!"))
    plant(folder, {"a.py": "\n".join(lines)})
    await call(ApplyPatch(workspace), patch=update(*hunks))
    lines[::2] = [f"{each}!" for each in lines[::2]]
    assert (folder / "a.py").read_text() == "\n".join(lines)


async def test_a_patch_for_thousands_of_files_is_refused(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    for count, made in ((FILES_LIMIT, FILES_LIMIT), (5000, FILES_LIMIT)):
        sections = (
            line for each in range(count) for line in (f"*** Add File: {count}/{each}", "+x")
        )
        patch = envelope(*sections)
        if count == made:
            await call(apply_patch, patch=patch)
        else:
            told = await refusal(apply_patch, patch=patch)
            assert "The patch is for 5,000 files, and 100 are taken at once" in told
        assert len(tree(folder)) == made + 1


async def test_files_that_are_too_large_together_are_refused(
    folder: Path, apply_patch: ApplyPatch
) -> None:
    plant(folder, {str(each): "1\n" + "x" * (FILE_LIMIT - 10) for each in range(5)})
    sections = (line for each in range(5) for line in (f"*** Update File: {each}", "-1", "+2"))
    assert "too large together" in await refusal(apply_patch, patch=envelope(*sections))


async def test_what_is_no_string_is_refused(apply_patch: ApplyPatch) -> None:
    told = await refusal(apply_patch, patch=["*** Begin Patch"])
    assert told.startswith("applyPatch did not run, its arguments are wrong")
