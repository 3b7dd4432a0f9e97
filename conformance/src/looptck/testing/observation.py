"""Records what an implementation does where its document leaves it open."""

from __future__ import annotations


class Observation:
    """``observe("fires at once")`` records a short value that can be compared.

    With *of*, one rule records several: ``observe("raises", of="-1")``.
    Values carry no time, address or number of a descriptor, so that two runs
    of one loop give the same text.
    """

    def __init__(self) -> None:
        # [(situation or "", value)] in the order of recording
        self.values: list[tuple[str, str]] = []

    def __call__(self, value: object, *, of: str = "") -> None:
        self.values.append((of, str(value)))

    def raised(self, error: BaseException, *, of: str = "") -> None:
        """Record that the loop refused, by the name of the exception."""
        self(f"raises {type(error).__name__}", of=of)

    def text(self) -> str:
        return "; ".join(f"{of}: {value}" if of else value for of, value in self.values)
