"""A controlled queue: whom to admit, how fast to serve."""

from collections.abc import Mapping, Sequence

from ...core import TableModel, from_successors
from ..options import OptionError, flag, listed, number, whole


def queue(
    *,
    capacity: int = 10,
    arrival: float = 0.3,
    rates: Sequence[float] = (0.2, 0.4, 0.6),
    rate_costs: Sequence[float] = (0.0, 1.0, 3.0),
    admission: bool = False,
    holding_cost: float = 0.5,
    fee: float = 5.0,
    discount: float = 0.95,
) -> TableModel:
    """Customers come and are served one at a time; choose how fast, and whom to admit (a controlled queue).

    The state is the number of customers, at most `capacity`; it is empty at first. An action is the
    probability `rates` with which the first of them is done in this slot, which costs `rate_costs`. Then a
    customer arrives with probability `arrival`, and enters and pays `fee` if there is room. With `admission`
    an action also says whether to admit or to reject. Each customer present costs `holding_cost` a slot.
    Raises `OptionError`. Source: Puterman (1994), section 3.7; Sennott (1999), chapter 1.
    """
    whole("capacity", capacity, 1, 100_000)
    number("arrival", arrival, 0, 1)
    number("holding_cost", holding_cost, 0)
    number("fee", fee)
    speeds = [number("rates", rate, 0, 1) for rate in listed("rates", rates)]
    costs = [number("rate_costs", cost) for cost in listed("rate_costs", rate_costs)]
    if not 0 < len(speeds) == len(costs):
        raise OptionError(
            f"rates and rate_costs must be equally many, at least one, not {rates!r} and {rate_costs!r}"
        )
    gates = {"reject, ": 0.0, "admit, ": arrival} if flag("admission", admission) else {"": arrival}
    options = {
        f"{gate}serve {rate:g}": (enters, rate, cost)
        for gate, enters in gates.items()
        for rate, cost in zip(speeds, costs, strict=True)
    }

    def outcomes(length: int) -> Mapping[str, list[tuple[float, int, float]]]:
        found = {}
        for name, (enters, rate, cost) in options.items():
            done = rate if length else 0.0
            paid = -holding_cost * length - cost
            rows: list[tuple[float, int, float]] = []
            for left, chance in ((length - 1, done), (length, 1 - done)):
                room = int(left < capacity)
                rows += [
                    (chance * enters, left + room, paid + fee * room),
                    (chance * (1 - enters), left, paid),
                ]
            found[name] = [row for row in rows if row[0] > 0]
        return found

    initial = {length: float(length == 0) for length in range(capacity + 1)}
    return TableModel(
        from_successors(
            outcomes, initial, discount=number("discount", discount, 0, 1), action_names=list(options)
        )
    )
