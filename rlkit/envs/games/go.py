"""Go: surround stones to capture them, surround points to own them."""

from dataclasses import dataclass, replace

import numpy as np

from ...core.arrays import Array, fill_at, namespace
from ...core.model import take
from ..options import number, whole
from ..rendering.sheet import Sheet
from .drawing import BLACK_AND_WHITE, GOLD, WOOD, WOOD_LINE, Image, put_stones, rule
from .game import Game, GameModel, Position
from .opponents import Random
from .versus import model_of

SMALLEST, LARGEST = 5, 19
FEW = 9  # points of a board whose positions are few enough to list
COLUMNS = "ABCDEFGHJKLMNOPQRST"
NOTHING = 2**15 - 1  # the name of no chain


@dataclass(frozen=True)
class GoPosition(Position):
    """The board by chains, with what the next moves need to know of them.

    A chain has the name 1 + the number of its first point in reading order, positive if it is of the player
    to move, negative if of the other. In memory the same point of all boards lies together.
    """

    chain: Array  # [B, N] int16, 0 where a point is free
    atari: Array  # [B, N] bool, whether the stone's chain has but one liberty
    ko: Array  # [B] int64, the point that the player to move may not retake; N if there is none
    passed: Array  # [B] bool, whether the last move was a pass


class Go(Game[GoPosition]):
    """Stones without liberties are captured; when both have passed, the larger area wins.

    Suicide is forbidden. Ko is simple: a stone that has just captured a single one may not be recaptured by
    restoring the position before; longer cycles are allowed. Area scoring (Tromp and Taylor): stones on the
    board count, and free points from which only one colour is reached; `komi` goes to White. Actions are the
    points in reading order, then the pass.
    """

    n_planes = 5
    marks = "·●○"

    def __init__(self, size: int = 9, komi: float = 7.5) -> None:
        self.height = self.width = size
        self.komi = komi
        n = self.points = size * size
        self.n_actions = n + 1
        self.countable = n <= FEW
        self.action_names = (*(f"{COLUMNS[k % size]}{size - k // size}" for k in range(n)), "pass")
        point = np.arange(n)
        column = point % size
        sides = ((point >= size, -size), (column > 0, -1), (column < size - 1, 1), (point < n - size, size))
        around = [np.append(np.where(inside, point + step, point), 0) for inside, step in sides]
        self.around = np.stack(around)  # [4, A] points beside one; where the board ends, the point itself
        self.name = np.arange(1, n + 2, dtype=np.int16)  # [A] of a chain that begins there
        self.row = self.name[:-1, None]  # [N, 1]
        self.not_first, self.not_last = sides[1][0][:, None], sides[2][0][:, None]  # [N, 1]
        # A shortest way has at most three of any four points in a square.
        self.longest_way = min(n, 3 * ((size + 1) // 2) ** 2)

    def first(self, like: Array) -> GoPosition:
        """The empty board."""
        xp, device = namespace(like), like.device
        zero = xp.zeros(like.shape, dtype=xp.int64, device=device)
        no = zero != 0
        chain = xp.zeros((self.points, *like.shape), dtype=xp.int16, device=device).T
        return GoPosition(no, no, xp.astype(no, xp.int8), chain, chain != 0, zero + self.points, no)

    def legal(self, position: GoPosition) -> Array:
        """Free points but the ko, where the stone or what it joins can breathe, or captures; and the pass."""
        xp, chain = namespace(position.chain), position.chain.T
        free = chain == 0
        up, left, right, down = self._beside(free | ((chain > 0) ^ position.atari.T))
        allowed = free & (up | left | right | down) & ~self._only(position.ko)
        return xp.concat([allowed, xp.ones_like(allowed[:1])]).T

    def play(self, position: GoPosition, action: Array) -> GoPosition:
        """Put a stone and take what it captures, or pass."""
        xp, n, chain = namespace(action), self.points, position.chain.T
        passing = action == n
        around = self.around[:, action]
        beside = xp.take_along_axis(chain, around, axis=0) * ~passing  # [4, B] chains
        dying = (beside < 0) & xp.take_along_axis(position.atari.T, around, axis=0)
        affected = xp.where((beside > 0) | dying, beside, NOTHING)
        touched = chain == affected[0]
        for k in (1, 2, 3):
            touched = touched | (chain == affected[k])
        captured = touched & (chain < 0)
        stone = self._only(action) & (chain == 0)  # none where the point is taken: such a move means nothing
        name = xp.minimum(xp.min(xp.where(beside > 0, beside, NOTHING), axis=0), self.name[action])
        chain = -chain * ~touched - name * (stone | (touched & ~captured))
        atari = self._atari(chain)
        lone = xp.all(beside <= 0, axis=0) & xp.any(atari & stone, axis=0)
        ko = lone & (xp.sum(captured, axis=0, dtype=xp.int16) == 1)
        taken = xp.max(-beside * dying, axis=0) - 1  # a single stone has the name of its point
        return self._scored(
            GoPosition(
                second=~position.second,
                over=passing & position.passed,
                outcome=position.outcome,
                chain=chain.T,
                atari=atari.T,
                ko=xp.where(ko, xp.astype(taken, xp.int64), n),
                passed=passing,
            )
        )

    def turned(self, position: GoPosition) -> GoPosition:
        """Own and other stones exchanged."""
        return replace(position, second=~position.second, outcome=-position.outcome, chain=-position.chain)

    def _only(self, point: Array) -> Array:
        """A board that holds at one point [B], [N, B]; nowhere at N."""
        return self.row == self.name[point]

    def _beside(self, mask: Array) -> tuple[Array, Array, Array, Array]:
        """Whether a mask [N, B] holds above, left of, right of and below each point."""
        xp, w = namespace(mask), self.width
        up, left, right, down = (xp.zeros_like(mask) for _ in range(4))
        up[w:], down[:-w] = mask[:-w], mask[w:]
        left[1:], right[:-1] = mask[:-1], mask[1:]
        return up, left & self.not_first, right & self.not_last, down

    def _atari(self, chain: Array) -> Array:
        """Whether each stone's chain [N, B] has a single liberty.

        Every stone writes down the last liberty beside it for its chain; whichever of them remains, a chain
        has more than one where a stone then sees another.
        """
        xp, w = namespace(chain), self.width
        up, left, right, down = self._beside(chain == 0)
        upper, lower = up | left, right | down
        breathes = (upper | lower) & (chain != 0)
        several = (up & left) | (right & down) | (upper & lower)
        last = xp.astype(up, xp.int16) * (self.row - w)
        for side, step in ((left, -1), (right, 1), (down, w)):
            last = xp.maximum(last, xp.astype(side, xp.int16) * (self.row + step))
        size = chain.shape[1]
        slots = size * self.n_actions  # one a chain; the first ones are those of no chain
        place = xp.astype(xp.abs(chain), xp.int64)
        place *= size
        place += xp.arange(size, device=chain.device)
        breathing = place * breathes
        liberty = xp.zeros(slots, dtype=xp.int16, device=chain.device)
        liberty[breathing] = last
        more = breathes & (several | (last != liberty[breathing]))
        two = xp.zeros(slots, dtype=xp.bool, device=chain.device)
        fill_at(two, place * more, True)
        return ~two[place] & (chain != 0)

    def _scored(self, position: GoPosition) -> GoPosition:
        """The same positions with the outcome of those that are over.

        In numpy only these are looked at; in torch all are, since asking how many would keep a GPU waiting.
        """
        if not isinstance(position.over, np.ndarray):
            return replace(position, outcome=self._outcome(position) * position.over)
        over, outcome = np.flatnonzero(position.over), np.zeros_like(position.outcome)
        if len(over):
            outcome[over] = self._outcome(take(position, over))
        return replace(position, outcome=outcome)

    def _outcome(self, position: GoPosition) -> Array:
        """1 where the player to move has the larger area, -1 the smaller, 0 the same, [B] int8."""
        xp, chain = namespace(position.chain), position.chain.T
        free, n = chain == 0, chain.shape[1]
        both = self._reached(xp.concat([chain > 0, chain < 0], axis=1), xp.concat([free, free], axis=1))
        own, other = both[:, :n], both[:, n:]
        area = [xp.sum(only, axis=0, dtype=xp.int64) for only in (own & ~other, other & ~own)]
        lead = area[0] - area[1] + self.komi * (2 * xp.astype(position.second, xp.int64) - 1)
        return xp.astype(lead > 0, xp.int8) - xp.astype(lead < 0, xp.int8)

    def _reached(self, stones: Array, free: Array) -> Array:
        """Stones [N, B] and the free points connected with them."""
        reached = stones
        for _ in range(self.longest_way):
            up, left, right, down = self._beside(reached)
            grown = stones | (free & (up | left | right | down))
            if isinstance(grown, np.ndarray) and (grown == reached).all():
                break
            reached = grown
        return reached

    def planes(self, position: GoPosition) -> Array:
        """Own stones, the other's, the ko, and 1 everywhere if the other has passed, if White is to move."""
        xp, chain = namespace(position.chain), position.chain.T
        no = chain != chain
        flags = (no | position.passed, no | position.second)
        layers = xp.stack([chain > 0, chain < 0, self._only(position.ko), *flags])
        board = xp.reshape(xp.astype(layers, xp.uint8), (self.n_planes, self.height, self.width, -1))
        return xp.moveaxis(board, -1, 0)

    def status(self, position: GoPosition) -> str:
        """Whether the last move was a pass besides."""
        passed = "" if position.over[0] or not position.passed[0] else "a pass, "
        return f"{passed}{super().status(position)}"

    def picture(self, position: GoPosition) -> Image:
        """Stones on the crossings of a wooden board; a golden dot on the point that ko forbids."""
        size = self.width
        sheet = Sheet(size + 1, size + 1, fill=WOOD)
        rule(sheet, size, WOOD_LINE, start=1.0)
        for k in range(size):
            sheet.text((k + 0.5, -0.2), str(size - k), size=0.26)
            sheet.text((size + 0.2, k + 0.5), COLUMNS[k], size=0.26)
        for r, c in _stars(size):
            sheet.disc((r + 0.5, c + 0.5), 0.10, fill=WOOD_LINE)
        put_stones(sheet, self.stones(position), 0.46, BLACK_AND_WHITE, shift=0.5)
        if position.ko[0] < self.points:
            r, c = divmod(int(position.ko[0]), size)
            sheet.disc((r + 0.5, c + 0.5), 0.14, fill=GOLD)
        return sheet.pixels()


def _stars(size: int) -> set[tuple[int, int]]:
    edge, middle = 2 + (size > 11), size // 2
    corners = (
        {(r, c) for r in (edge, size - 1 - edge) for c in (edge, size - 1 - edge)} if size > 7 else set()
    )
    sides = {(r, c) for r in (edge, middle, size - 1 - edge) for c in (edge, middle, size - 1 - edge)}
    return corners | ({(middle, middle)} if size % 2 else set()) | (sides if size == LARGEST else set())


def go(
    *, size: int = 9, komi: float = 7.5, opponent: str | None = "random", first: bool | str = True
) -> GameModel[GoPosition]:
    """Go with area scoring, simple ko and no suicide; +1 for a win, -1 for a loss, 0 for a draw.

    `size` is from 5 to 19; `komi` points go to White, who moves second. `opponent` is "random" (any legal
    move, passes too) or None: the agent makes the moves of both, each step rewarded for its player. `first`
    says whether the agent begins: True, False or "random". Raises `OptionError`.
    """
    whole("size", size, SMALLEST, LARGEST)
    number("komi", komi, -LARGEST * LARGEST, LARGEST * LARGEST)
    model = model_of(Go(size, komi), {"random": Random}, opponent, first)
    model.max_episode_steps = 4 * size**2
    return model
