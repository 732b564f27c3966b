"""Placing charts on a grid of cells: each where its top is lowest, gaps between and within others included."""

from numba import njit

from meshopt.compilation import INNER, KERNEL
from meshopt.texturing.overlap_kernels import strip


@njit(**KERNEL, error_model="numpy")
def cover(corners, chart, size, start, mask):
    """Marks all cells that faces touch, borders of cells included.

    `corners` (F 3 2) are in cells of the faces' charts; chart c has size[c] columns and rows, from mask[start[c]] on.
    """
    for f in range(len(corners)):
        corner, first, columns = corners[f], start[chart[f]], size[chart[f], 0]
        bottom = min(corner[0, 1], corner[1, 1], corner[2, 1])
        top = max(corner[0, 1], corner[1, 1], corner[2, 1])
        for row in range(int(bottom), int(top) + 1):
            low, high = strip(corner, max(float(row), bottom), min(float(row + 1), top))
            for column in range(int(low), min(int(high), columns - 1) + 1):
                mask[first + row * columns + column] = True


@njit(**INNER)
def find_spans(mask, columns, rows, turn, spans):
    """Rows, first columns and last columns + 1 of a chart's cells after `turn` quarter turns counter-clockwise.

    Gives their number, the rows, the columns, and which of the spans is the longest.
    """
    count, longest = 0, 0
    wide, high = (columns, rows) if turn % 2 == 0 else (rows, columns)
    for y in range(high):
        before = False
        for x in range(wide):
            if turn == 0:
                taken = mask[y * columns + x]
            elif turn == 1:
                taken = mask[(rows - 1 - x) * columns + y]
            elif turn == 2:
                taken = mask[(rows - 1 - y) * columns + columns - 1 - x]
            else:
                taken = mask[x * columns + columns - 1 - y]
            if taken and not before:
                spans[count, 0], spans[count, 1] = y, x
                count += 1
            if taken:
                spans[count - 1, 2] = x + 1
            before = taken
    for k in range(count):
        if spans[k, 2] - spans[k, 1] > spans[longest, 2] - spans[longest, 1]:
            longest = k
    return count, high, wide, longest


@njit(**INNER)
def first_fit(run, y, spans, count, wide):
    """Lowest x where a chart's spans, moved there and up by y, are free; -1 where there is none.

    `run[y, x]` is how many cells from there on are free, or, negative, taken.
    """
    x = 0
    while x + wide <= run.shape[1]:
        jump = 0
        for k in range(count):
            row, at = y + spans[k, 0], x + spans[k, 1]
            free = run[row, at]
            if free < spans[k, 2] - spans[k, 1]:
                jump = -free if free < 0 else free - run[row, at + free]
                break
        if jump == 0:
            return x
        x += jump
    return -1


@njit(**INNER)
def count_runs(run, most, y):
    """Renews a row of runs after cells of it were taken, and its longest free one."""
    length, most[y] = 0, 0
    for x in range(run.shape[1] - 1, -1, -1):
        free = run[y, x] > 0
        if free != (length > 0):
            length = 0
        length += 1 if free else -1
        run[y, x] = length
        most[y] = max(most[y], length)


@njit(**KERNEL)
def place(mask, start, size, order, gap, run, most, spans, placed):
    """Places charts one after the other on a square of cells; gives whether all found room.

    `mask`, `start` and `size` are as for `cover`. Charts are `gap` cells apart at least. `placed` receives column, row
    and quarter turns. The square is that of `run`, which with `most`, every row's longest free run, comes as for empty
    rows (see `first_fit`); `spans` is for work. A chart with the columns and rows of the one before looks no lower than
    where that one found room.
    """
    width, lowest, before = run.shape[1], 0, -1
    for chart in order:
        if before < 0 or size[chart, 0] != size[before, 0] or size[chart, 1] != size[before, 1]:
            lowest = 0
        before = chart
        best = width + 1
        cells = mask[start[chart] : start[chart] + size[chart, 0] * size[chart, 1]]
        for turn in range(4):
            count, high, wide, k = find_spans(cells, size[chart, 0], size[chart, 1], turn, spans)
            for y in range(lowest, best - high):
                if most[y + spans[k, 0]] < spans[k, 2] - spans[k, 1]:
                    continue
                x = first_fit(run, y, spans, count, wide)
                if x >= 0:
                    best = y + high
                    placed[chart, 0], placed[chart, 1], placed[chart, 2] = x, y, turn
                    break
        if best > width:
            return False
        x, y, turn = placed[chart]
        lowest = y
        count, high, _, _ = find_spans(cells, size[chart, 0], size[chart, 1], turn, spans)
        for k in range(count):
            for row in range(max(y + spans[k, 0] - gap, 0), min(y + spans[k, 0] + gap + 1, width)):
                for column in range(max(x + spans[k, 1] - gap, 0), min(x + spans[k, 2] + gap, width)):
                    run[row, column] = -1
        for row in range(max(y - gap, 0), min(y + high + gap, width)):
            count_runs(run, most, row)
    return True
