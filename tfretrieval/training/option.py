"""`Option`: the values that a setting accepts."""

from dataclasses import dataclass
from typing import Any

from tfretrieval.errors import UserError


@dataclass(frozen=True)
class Option:
    """The values that a setting accepts.

    Attributes:
        kind: type of the value; an int is accepted for a float.
        help: description of the setting.
        low: least value.
        above: exclusive lower bound.
        below: exclusive upper bound.
        choices: accepted strings; empty for any.
        optional: whether None is accepted.
    """

    kind: type
    help: str = ""
    low: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False

    def checked(self, name: str, value: Any) -> Any:
        """The value, converted to `kind`.

        Args:
            name: name of the setting, for the error message.
            value: value to check.

        Raises:
            UserError: the value is not accepted.

        >>> Option(float, above=0).checked("margin", 1)
        1.0
        """
        if value is None and self.optional:
            return None
        accepted: Any = (int, float) if self.kind is float else self.kind
        if not isinstance(value, accepted) or (isinstance(value, bool) and self.kind is not bool):
            raise UserError(f"{name} must be of type {self.kind.__name__}, not {value!r}")
        if self.choices and value not in self.choices:
            raise UserError(f"{name} must be {' or '.join(self.choices)}, not {value!r}")
        if self.low is not None and not value >= self.low:
            raise UserError(f"{name} must be {self.low} or more, not {value}")
        if self.above is not None and not self.above < value < float("inf"):
            raise UserError(f"{name} must be a finite number above {self.above}, not {value}")
        if self.below is not None and not value < self.below:
            raise UserError(f"{name} must be below {self.below}, not {value}")
        return self.kind(value)
