"""What keeps a server from starting."""


class BadSettings(Exception):
    """Something is set that is unknown or cannot be; each of `faults` is one sentence."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))
