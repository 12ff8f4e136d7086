"""Vector code for smooth warps, written by hand: sums of weighted pixels in 16 bits.

A level is a fixed point number with 8 bits below the whole, a weight has 16. The product is the high half of 32 bits,
one instruction for a whole vector; what it drops is made up for by what a sum starts with. A pixel has four lanes of 16
bits: red, green, blue, and one that nobody looks at. LINES output rows are done together: what the first pass writes
for a column are that column's pixels in all of these rows, so that the second pass adds up whole vectors and has
nothing to add within them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from gapless.native.intrinsics import entry_pointer, instruction, tag

LINES = 4
"""Output rows that are done together, and output columns in the second pass."""

COLUMNS = 8
"""Input columns that are done together in the first pass."""

FULL_DOWN, FULL_ACROSS = 65280, 65535
"""What the weights of a filter add up to. The first pass reads a byte b as 257 b, which has to become 256 b."""

_I8, _I16, _I32, _I64 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
_LANES, _WIDER = ir.VectorType(_I16, 4 * LINES), ir.VectorType(_I32, 4 * LINES)
_WORDS = ir.VectorType(_I32, LINES)
_ROW = ir.VectorType(_I16, 4 * COLUMNS)


def _same(builder: Any, value: Any, kind: Any) -> Any:
    """A vector with the same number everywhere."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count))


def _pick(builder: Any, one: Any, other: Any, *places: int) -> Any:
    """The elements of two vectors at these places, those of the other counted after those of the one."""
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(_I32, len(places)), places))


def _weighted(builder: Any, levels: Any, weight: Any) -> Any:
    """The high half of the product."""
    wider = ir.VectorType(_I32, levels.type.count)
    product = builder.mul(builder.zext(levels, wider), builder.zext(weight, wider))
    return builder.trunc(builder.lshr(product, ir.Constant(wider, [16] * wider.count)), levels.type)


def _weight(builder: Any, pointer: Any, kind: Any) -> Any:
    """A weight that is in the table twice, side by side, in all lanes."""
    load = builder.load(pointer)
    load.set_metadata("tbaa", tag(builder.module, "table"))
    return builder.bitcast(_same(builder, load, ir.VectorType(_I32, kind.count // 2)), kind)


def _sums(builder: Any, kind: Any, count: Any, half: Any, term: Callable[[Any, int], Any]) -> list[Any]:
    """LINES sums of `count` terms each, term(tap, number of the sum); they start at `half` in each lane."""
    sums = [cgutils.alloca_once(builder, kind) for _ in range(LINES)]
    start = _same(builder, builder.trunc(half, _I16), kind)
    for place in sums:
        builder.store(start, place)
    with cgutils.for_range(builder, count) as loop:
        for number, place in enumerate(sums):
            builder.store(builder.add(builder.load(place), term(loop.index, number)), place)
    return [builder.load(place) for place in sums]


def _levels(builder: Any, address: Any, wide: int, used: int) -> Any:
    """COLUMNS pixels of `used` bytes each from an address on, reading `wide` bytes, as levels."""
    kind = ir.VectorType(_I8, wide)
    load = builder.load(builder.inttoptr(address, kind.as_pointer()), align=1)
    # Each byte twice, which takes one instruction less than a byte and a zero; the fourth lane may be anything.
    places = [n * used + min(c, 2) for n in range(COLUMNS) for c in range(4) for _ in range(2)]
    return builder.bitcast(_pick(builder, load, ir.Constant(kind, ir.Undefined), *places), _ROW)


def _down(wide: int, used: int) -> Callable[..., Any]:
    @instruction
    def down(
        typing: Any, a: Any, b: Any, c: Any, d: Any, pitch: Any, weights: Any, index: Any, count: Any, half: Any,
        row: Any, at: Any,
    ) -> Any:  # fmt: skip
        """Filters down, for COLUMNS columns of the LINES output rows that begin to read at the addresses a to d."""

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            *addresses, pitch, _, index, count, half, _, _ = args
            table = entry_pointer(context, builder, signature.args[5], args[5], index)

            def term(tap: Any, line: int) -> Any:
                address = builder.add(addresses[line], builder.mul(tap, pitch))
                place = builder.add(tap, builder.mul(count, ir.Constant(_I64, line)))
                levels = _levels(builder, address, wide, used)
                return _weighted(builder, levels, _weight(builder, builder.gep(table, [place]), _ROW))

            pixels = ir.VectorType(_I64, COLUMNS)
            turned = [place for column in range(COLUMNS) for place in (column, column + COLUMNS)]
            lines = [builder.bitcast(line, pixels) for line in _sums(builder, _ROW, count, half, term)]
            upper, lower = (_pick(builder, lines[n], lines[n + 1], *turned) for n in (0, 2))
            for number in range(COLUMNS // 2):
                a = 4 * number
                two = _pick(builder, upper, lower, a, a + 1, a + 16, a + 17, a + 2, a + 3, a + 18, a + 19)
                words = builder.add(args[10], ir.Constant(_I64, 4 * LINES * number))
                pointer = entry_pointer(context, builder, signature.args[9], args[9], words)
                store = builder.store(two, builder.bitcast(pointer, two.type.as_pointer()), align=4)
                store.set_metadata("tbaa", tag(builder.module, "lines"))
            return context.get_dummy_value()

        place = types.int64
        return types.void(place, place, place, place, place, weights, place, place, place, row, place), code

    return down


down_three, down_three_last, down_four = _down(32, 3), _down(24, 3), _down(32, 4)
"""For pixels of three bytes and of four. The first reads 32 bytes, of which 24 are used; the others read no more."""


@instruction
def across(
    typing: Any, row: Any, starts: Any, left: Any, weights: Any, x: Any, count: Any, half: Any, words: Any, out: Any,
    width: Any,
) -> Any:  # fmt: skip
    """Filters across, for the LINES output columns from x on, into fine words from number `out` on, `width` a row.

    left: the column that the row begins with. half: what the sums start with, and half of what a fine word can tell.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        row, _, left, _, x, count, half, words, out, width = args
        table = entry_pointer(context, builder, signature.args[3], args[3], builder.mul(x, count))
        places = []
        for column in range(LINES):
            number = builder.add(x, ir.Constant(_I64, column))
            load = builder.load(entry_pointer(context, builder, signature.args[1], args[1], number))
            load.set_metadata("tbaa", tag(builder.module, "table"))
            pixel = builder.mul(builder.sub(load, left), ir.Constant(_I64, 2 * LINES))
            pointer = entry_pointer(context, builder, signature.args[0], row, pixel)
            places.append(builder.bitcast(pointer, _LANES.as_pointer()))

        def term(tap: Any, column: int) -> Any:
            load = builder.load(builder.gep(places[column], [tap]), align=4)
            load.set_metadata("tbaa", tag(builder.module, "lines"))
            place = builder.add(tap, builder.mul(count, ir.Constant(_I64, column)))
            return _weighted(builder, load, _weight(builder, builder.gep(table, [place]), _LANES))

        halves = ir.VectorType(_I32, 2 * LINES)
        columns = [builder.bitcast(total, halves) for total in _sums(builder, _LANES, count, half, term)]
        pairs = [_pick(builder, columns[n], columns[n + 1], *range(4 * LINES)) for n in (0, 2)]
        order = [2 * line + 8 * column for line in range(LINES) for column in range(LINES)]
        red_green, blue = _pick(builder, *pairs, *order), _pick(builder, *pairs, *(place + 1 for place in order))
        fine = _masked(builder, builder.lshr(red_green, _all(6)), 0x3FF)
        fine = builder.or_(fine, _masked(builder, builder.lshr(red_green, _all(12)), 0xFFC00))
        fine = builder.or_(fine, _masked(builder, builder.shl(blue, _all(14)), 0x3FF00000))
        for line in range(LINES):
            number = builder.add(builder.add(out, x), builder.mul(width, ir.Constant(_I64, line)))
            pointer = entry_pointer(context, builder, signature.args[7], words, number)
            part = _pick(builder, fine, fine, *range(LINES * line, LINES * (line + 1)))
            store = builder.store(part, builder.bitcast(pointer, _WORDS.as_pointer()), align=4)
            store.set_metadata("tbaa", tag(builder.module, "fine"))
        return context.get_dummy_value()

    place = types.int64
    return types.void(row, starts, place, weights, place, place, place, words, place, place), code


def _all(number: int) -> Any:
    return ir.Constant(_WIDER, [number] * _WIDER.count)


def _masked(builder: Any, words: Any, mask: int) -> Any:
    return builder.and_(words, _all(mask))


@instruction
def address_of(typing: Any, array: Any, index: Any) -> Any:
    """Where in memory an element is."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ptrtoint(entry_pointer(context, builder, signature.args[0], args[0], args[1]), _I64)

    return types.int64(array, types.int64), code
