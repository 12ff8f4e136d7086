"""Loads and stores that tell LLVM what cannot overlap, so that it turns the pixel loops into vector code.

numba compiles array access so that any store may change any load; a loop that gathers from one array and stores to
another then stays scalar, about eight times slower. Loads and stores that carry different type tags (LLVM's TBAA) are
known not to overlap. The tags here: bytes of the source picture, packed words, fine
words, planes of levels, small tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np import arrayobj
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]
Words = NDArray[np.uint32]
F = TypeVar("F", bound=Callable[..., Any])

# Without numba's run time nothing can be allocated inside, and no array's references are counted, which takes as long
# as a small picture does.
OPTIONS: dict[str, Any] = {"fastmath": True, "error_model": "numpy", "nogil": True, "boundscheck": False, "_nrt": False}


def compiled(function: F) -> F:
    """Compiles a function on its first call, with the options that all pixel code has."""
    return cast(F, njit(**OPTIONS)(function))


instruction = cast(Callable[[Any], Callable[..., Any]], intrinsic)
"""Marks a function that returns a signature and writes LLVM code by hand."""

_I8, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()


def tag(module: Any, name: str) -> Any:
    root = module.add_metadata(["gapless pixels"])
    zero = ir.Constant(_I64, 0)
    leaf = module.add_metadata([name, root, zero])
    return module.add_metadata([leaf, leaf, zero])


def entry_pointer(context: Any, builder: Any, array_type: Any, array: Any, *offsets: Any) -> Any:
    """The place of an element of a contiguous array, without numba's check for negative indexes."""
    pointer = context.make_array(array_type)(context, builder, array).data
    for offset in offsets:
        pointer = builder.gep(pointer, [offset])
    return pointer


@instruction
def byte(typing: Any, address: Any, index: Any) -> Any:
    """The byte of a source picture at a memory address, as a 32-bit number."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.gep(builder.inttoptr(args[0], _I8.as_pointer()), [args[1]])
        load = builder.load(pointer)
        load.set_metadata("tbaa", tag(builder.module, "source"))
        return builder.zext(load, _I32)

    return types.uint32(types.int64, types.int64), code


@instruction
def pixel(typing: Any, address: Any, index: Any) -> Any:
    """The four bytes of a source picture from a memory address on, as one word, the first lowest."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        load = builder.load(builder.inttoptr(builder.add(args[0], args[1]), _I32.as_pointer()), align=1)
        load.set_metadata("tbaa", tag(builder.module, "source"))
        return load

    return types.uint32(types.int64, types.int64), code


@instruction
def put_four(typing: Any, packed: Any, index: Any, address: Any) -> Any:
    """Four pixels of three bytes into four words from packed[index] on. Reads 16 bytes, of which 12 are used.

    LLVM does not find by itself that this is one shuffle; without it the step takes twice as long.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(_I8, 16)
        load = builder.load(builder.inttoptr(args[2], vector.as_pointer()), align=1)
        load.set_metadata("tbaa", tag(builder.module, "source"))
        zero = 16  # the first place of the second operand
        places = [place for pixel in range(4) for place in (3 * pixel, 3 * pixel + 1, 3 * pixel + 2, zero)]
        lanes = ir.Constant(ir.VectorType(_I32, 16), places)
        words = builder.shuffle_vector(load, ir.Constant(vector, [0] * 16), lanes)
        pointer = entry_pointer(context, builder, signature.args[0], args[0], args[1])
        store = builder.store(words, builder.bitcast(pointer, vector.as_pointer()), align=4)
        store.set_metadata("tbaa", tag(builder.module, "packed"))
        return context.get_dummy_value()

    return types.void(packed, types.int64, types.int64), code


@instruction
def word_at(typing: Any, packed: Any, place: Any, offset: Any) -> Any:
    """packed[place + offset], the place being a whole number in float32, as a gather."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        index = builder.sext(builder.fptosi(args[1], _I32), _I64)
        load = builder.load(entry_pointer(context, builder, signature.args[0], args[0], args[2], index))
        load.set_metadata("tbaa", tag(builder.module, "packed"))
        return load

    return types.uint32(packed, types.float32, types.int64), code


@instruction
def prefetch(typing: Any, address: Any) -> Any:
    """Asks for the memory at an address, which need not exist, before it is read."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _I8.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        to_read, to_keep, data = (ir.Constant(_I32, number) for number in (0, 3, 1))
        builder.call(function, [builder.inttoptr(args[0], pointer), to_read, to_keep, data])
        return context.get_dummy_value()

    return types.void(types.int64), code


def _access(kind: Any, name: str) -> tuple[Any, Any]:
    """array[index] and array[index] = value, under a tag."""

    @instruction
    def get(typing: Any, array: Any, index: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            load = builder.load(entry_pointer(context, builder, signature.args[0], args[0], args[1]))
            load.set_metadata("tbaa", tag(builder.module, name))
            return load

        return kind(array, types.int64), code

    @instruction
    def put(typing: Any, array: Any, index: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            store = builder.store(args[2], entry_pointer(context, builder, signature.args[0], args[0], args[1]))
            store.set_metadata("tbaa", tag(builder.module, name))
            return context.get_dummy_value()

        return types.void(array, types.int64, kind), code

    return get, put


word, put_word = _access(types.uint32, "packed")
fine, put_fine = _access(types.uint32, "fine")
level, put_level = _access(types.float32, "plane")
entry, put_entry = _access(types.float32, "table")


@instruction
def entry_at(typing: Any, table: Any, place: Any) -> Any:
    """table[place], the place being a whole number in float32, as a gather."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        index = builder.sext(builder.fptosi(args[1], _I32), _I64)
        load = builder.load(entry_pointer(context, builder, signature.args[0], args[0], index))
        load.set_metadata("tbaa", tag(builder.module, "table"))
        return load

    return types.float32(table, types.float32), code


@instruction
def join(typing: Any, low: Any, high: Any, shift: Any) -> Any:
    """low | high << shift, in 32 bits, which numba's own operators would widen to 64."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        amount = builder.trunc(args[2], _I32)
        return builder.or_(args[0], builder.shl(args[1], amount))

    return types.uint32(types.uint32, types.uint32, types.int64), code


@instruction
def bits(typing: Any, packed: Any, shift: Any, mask: Any) -> Any:
    """(packed >> shift) & mask, as float32."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.lshr(args[0], builder.trunc(args[1], _I32))
        return builder.sitofp(builder.and_(value, builder.trunc(args[2], _I32)), _F32)

    return types.float32(types.uint32, types.int64, types.int64), code


_ROUND = 12582912.0
"""1.5 * 2^23: a small number added to it in float32 is rounded, half to even, and its whole part fills the low bits."""


@instruction
def join_fine(typing: Any, red: Any, green: Any, blue: Any) -> Any:
    """Three levels as one fine word: ten bits each, two of them below the whole level."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word, quick = ir.Constant(_I32, 0), ("contract", "reassoc")
        bias = int(np.float32(_ROUND).view(np.uint32))
        for channel, value in enumerate(args):
            fours = builder.fmul(value, ir.Constant(_F32, 4.0), flags=quick)
            # Not to be reordered: the sum is what rounds.
            rounded = builder.fadd(fours, ir.Constant(_F32, _ROUND), flags=("contract",))
            number = builder.sub(builder.bitcast(rounded, _I32), ir.Constant(_I32, bias))
            word = builder.add(word, builder.shl(number, ir.Constant(_I32, 10 * channel)))
        return word

    return types.uint32(types.float32, types.float32, types.float32), code


@instruction
def whole(typing: Any, value: Any) -> Any:
    """A float32 from 0 to 255 as the nearest whole number, half to even."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rint = builder.module.declare_intrinsic("llvm.rint", [_F32])
        return builder.fptosi(builder.call(rint, args), _I32)

    return types.uint32(types.float32), code


def _at_once(what: str) -> Callable[..., Any]:
    def change(typing: Any, numbers: Any, index: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = entry_pointer(context, builder, signature.args[0], args[0], args[1])
            return builder.atomic_rmw(what, place, args[2], "seq_cst")

        return types.int64(numbers, types.int64, types.int64), code

    return instruction(change)


add = _at_once("add")
"""Adds to numbers[index] and returns what was there, in one step that no other thread comes between. What a thread
wrote before is seen by all who see the sum."""


@instruction
def plain(typing: Any, values: Any) -> Any:
    """The same tuple, its contiguous arrays without owners and with steps that LLVM can see: passed on at less cost."""
    if any(isinstance(kind, types.Array) and kind.layout != "C" for kind in values):
        raise TypingError(f"arrays must be contiguous, got {values}")

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = []
        for kind, value in zip(values, cgutils.unpack_tuple(builder, args[0], len(values)), strict=True):
            if not isinstance(kind, types.Array):
                found.append(value)
                continue
            array, made = context.make_array(kind)(context, builder, value), arrayobj.make_array(kind)(context, builder)
            size = ir.Constant(_I64, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
            sides, steps = cgutils.unpack_tuple(builder, array.shape, kind.ndim), [size]
            for side in reversed(sides[1:]):
                steps.insert(0, builder.mul(steps[0], side))
            arrayobj.populate_array(made, array.data, sides, steps, size, None)
            found.append(made._getvalue())
        return context.make_tuple(builder, signature.return_type, found)

    return values(values), code


@instruction
def wide_vectors(typing: Any) -> Any:
    """Lets LLVM use 512-bit vectors in the calling function, which it avoids by itself on some processors."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), code
