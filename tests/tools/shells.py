"""Whether commands can be confined on this machine."""

from __future__ import annotations

import tempfile

import pytest

from turnlog.adapters.tools.shell import CannotRun, Confined
from turnlog.adapters.tools.shell.confinement import try_out


def confined_or_skipped() -> Confined:
    """Bubblewrap, where it can be had."""
    try:
        confined = Confined()
        with tempfile.TemporaryDirectory() as folder:
            try_out(confined, folder)
    except CannotRun as reason:
        pytest.skip(str(reason))
    return confined
