"""Rooms as text and pictures."""

from typing import Any

import numpy as np
import pytest

from rlkit.envs.rooms import Level, codes, pictures, tasks


def state_of(model: Any, start: int = 0) -> Any:
    return model.initial(np.array([start]))


def test_text_shows_the_map_and_the_hand() -> None:
    grid = np.full((4, 6), codes.WALL_CODE, dtype=np.uint8)
    grid[1:3, 1:5] = codes.EMPTY
    grid[1, 2], grid[2, 4] = codes.code(codes.KEY, codes.YELLOW), codes.GOAL_CODE
    grid[1, 4] = codes.code(codes.LOCKED, codes.RED)
    grid[2, 1], grid[2, 3] = codes.code(codes.PRIZE), codes.LAVA_CODE
    model = tasks.door_key().with_levels([Level(grid, (1, 1), 0)])
    state = state_of(model)
    assert model.text(state) == "######\n#>k.L#\n#..~G#\n######\n"
    state = model.transition(state, np.array([3]), np.array([0])).state
    assert model.text(state) == "######\n#>..L#\n#..~G#\n######\ncarrying a yellow key\n"


@pytest.mark.parametrize("name", ["four_rooms", "key_corridor", "dynamic_obstacles", "push_box"])
def test_pictures_are_images_of_tiles(name: str) -> None:
    model = getattr(tasks, name)(levels=1)
    image = model.picture(state_of(model))
    assert image.dtype == np.uint8
    assert image.shape[0] % model.height == 0
    assert image.shape[:2] == (
        model.height * image.shape[0] // model.height,
        model.width * image.shape[0] // model.height,
    )
    assert len({tuple(pixel) for pixel in image[::5, ::5].reshape(-1, 3).tolist()}) > 5


def test_what_is_not_seen_is_shaded() -> None:
    model = tasks.four_rooms(levels=1)
    state = state_of(model)
    shown = set(model.seen(state).tolist())
    side = model.picture(state).shape[0] // model.height
    image = model.picture(state)
    for cell in range(model.outside):
        r, c = divmod(cell, model.width)
        if int(state.grid[0, cell]) == codes.EMPTY and cell != int(state.cell[0]):
            middle = image[r * side + side // 2, c * side + side // 2]
            assert tuple(middle) == (pictures.PAPER if cell in shown else pictures.SHADE)


def test_the_agent_and_what_it_carries_show() -> None:
    model = tasks.door_key(size=5, levels=1)
    frames = []
    for heading in range(4):
        for hand in (codes.EMPTY, codes.code(codes.KEY, codes.YELLOW)):
            first = state_of(model)
            state = type(first)(first.grid, first.cell, np.array([heading]), np.array([hand], dtype=np.uint8))
            frames.append(model.picture(state).tobytes())
    assert len(set(frames)) == 8


def test_pixels_are_the_tiles_of_what_is_seen() -> None:
    model = tasks.key_corridor(observation="pixels", view_size=5)
    plain = tasks.key_corridor(view_size=5)
    tiles = pictures.tiles(8)
    state = model.initial(np.arange(20))
    image, symbols = model.observe(state), plain.view.sight.codes(state)
    assert image.shape == (20, 40, 40, 3)
    for i in range(20):
        for r in range(5):
            for c in range(5):
                code = codes.AGENT if (r, c) == (4, 2) else symbols[i, r, c]
                assert np.array_equal(image[i, r * 8 : r * 8 + 8, c * 8 : c * 8 + 8], tiles[code])
    assert len({tiles[c].tobytes() for c in np.unique(symbols)}) == len(np.unique(symbols))


def test_disguised_cells_look_empty() -> None:
    tiles = pictures.tiles(8)
    for kind in (codes.PRIZE, codes.TRAP):
        code = np.array([codes.code(kind)], dtype=np.uint8)
        assert [int(part[0]) for part in codes.looks(code)] == [codes.EMPTY, 0, 0]
        assert np.array_equal(tiles[code[0]], tiles[codes.EMPTY])
