"""Vector loops the compiler does not find by itself, for use in Numba functions.

A maximum over an array, kept in one variable, is compiled to one comparison at a time: four to eight times slower than
the memory. Here it is kept in LANES variables side by side, and only these are compared in the end. Loops run over
whole UNITs of elements; what remains of an array is the caller's.

`mask` is what a value is ANDed with before it is compared: `MAGNITUDE` of its dtype (all bits but the sign) compares
magnitudes, `VALUE` (all bits) compares values. Results of elementwise arithmetic are those of the plain loop, bit by
bit; maxima do not depend on the order in which they are taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as _numba_intrinsic

intrinsic: Any = _numba_intrinsic  # what it makes of a function takes the same arguments but for the first

LANES = 16
UNIT = 64  # elements handled in one turn of a loop: LANES x 4
CACHE_LINE = 64  # bytes
_SIDE_BY_SIDE = UNIT // LANES

_BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def mask_of(dtype: Any, *, signed: bool) -> Any:
    """The mask with which values of `dtype` (float32 or float64) are compared: by magnitude if `signed`, else as is."""
    bits = _BITS[np.dtype(dtype)]
    return bits(np.iinfo(bits).max if signed else -1)


def _index(value: int) -> ir.Constant:
    return ir.Constant(ir.IntType(64), value)


def _vector(element: ir.Type) -> ir.VectorType:
    return ir.VectorType(element, LANES)


def _splat(builder: Any, value: Any) -> ir.Value:
    vector = ir.Constant(_vector(value.type), ir.Undefined)
    first = builder.insert_element(vector, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, vector, ir.Constant(_vector(ir.IntType(32)), None))


class _Array:
    """An array argument: LANES elements of it at a time.

    Unsigned 16-bit elements are the bits of half floats, signed ones are whole numbers; both are widened on the way.
    """

    def __init__(self, context: Any, builder: Any, kind: Any, value: ir.Value) -> None:
        self._builder = builder
        self._data = context.make_array(kind)(context, builder, value).data
        self._half, self._whole = kind.dtype == types.uint16, kind.dtype == types.int16
        self.element = ir.HalfType() if self._half else context.get_value_type(kind.dtype)
        self._align = kind.dtype.bitwidth // 8

    def _at(self, index: ir.Value) -> ir.Value:
        return self._builder.bitcast(self._builder.gep(self._data, [index]), _vector(self.element).as_pointer())

    def load(self, index: ir.Value, wanted: ir.Type | None = None) -> ir.Value:
        loaded = self._builder.load(self._at(index))
        loaded.align = self._align
        if self._whole and wanted is not None:
            wide = self._builder.sext(loaded, _vector(ir.IntType(32)))
            return self._builder.sitofp(wide, _vector(wanted))
        return self._builder.fpext(loaded, _vector(wanted)) if self._half and wanted is not None else loaded

    def store(self, value: ir.Value, index: ir.Value) -> None:
        self._builder.store(value, self._at(index)).align = self._align

    def prefetch(self, unit: ir.Value) -> None:
        """Asks for the cache lines of the UNIT that begins at `unit`, to be read soon."""
        byte, small = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, small, small, small])
        call = cgutils.get_or_insert_function(self._builder.module, kind, "llvm.prefetch.p0")
        for_reading, into_second_level, as_values = (ir.Constant(small, value) for value in (0, 2, 1))
        for offset in range(0, UNIT, CACHE_LINE // self._align):
            address = self._builder.gep(self._data, [self._builder.add(unit, _index(offset))])
            address = self._builder.bitcast(address, byte)
            self._builder.call(call, [address, for_reading, into_second_level, as_values])


def _masked(builder: Any, vector: Any, mask: Any) -> ir.Value:
    """`vector` as it is to be compared; mask: a scalar integer at least as wide as an element."""
    width = ir.IntType(32 if isinstance(vector.type.element, ir.FloatType) else 64)
    mask = builder.trunc(mask, width) if mask.type.width > width.width else mask
    bits = builder.bitcast(vector, _vector(mask.type))
    return builder.bitcast(builder.and_(bits, _splat(builder, mask)), vector.type)


def _larger(builder: Any, one: ir.Value, other: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered(">", one, other), one, other)


def _running(builder: Any, element: ir.Type) -> list[ir.Value]:
    """Room for maxima, all zero: what is compared is never below it, or then does not matter."""
    zero = ir.Constant(_vector(element), None)
    return [cgutils.alloca_once_value(builder, zero) for _ in range(_SIDE_BY_SIDE)]


def _settle(builder: Any, running: list[ir.Value], lanes: _Array, at: ir.Value) -> None:
    largest = builder.load(running[0])
    for other in running[1:]:
        largest = _larger(builder, builder.load(other), largest)
    lanes.store(largest, at)


def _raise_to(builder: Any, running: ir.Value, vector: ir.Value, mask: ir.Value) -> None:
    builder.store(_larger(builder, _masked(builder, vector, mask), builder.load(running)), running)


@intrinsic
def subtract_row(
    typing: Any, values: Any, row: Any, factor: Any, start: Any, units: Any, mask: Any, lanes: Any, at: Any, ahead: Any
):
    """values[i] -= factor * row[i] for `units` UNITs from `start`; lanes[at : at + LANES]: the maxima of the result.

    ahead: a row that will be needed soon; the part of it at the same place is asked for on the way.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        target, source, maxima, next_row = (_Array(context, builder, kinds[i], arguments[i]) for i in (0, 1, 6, 8))
        factors, begin, count, bits, place = (arguments[i] for i in (2, 3, 4, 5, 7))
        factors, running = _splat(builder, factors), _running(builder, target.element)
        with cgutils.for_range(builder, count) as turn:
            unit = builder.add(begin, builder.mul(turn.index, _index(UNIT)))
            next_row.prefetch(unit)
            for lane, largest in enumerate(running):
                index = builder.add(unit, _index(lane * LANES))
                share = builder.fmul(factors, source.load(index, target.element))
                left = builder.fsub(target.load(index), share)
                target.store(left, index)
                _raise_to(builder, largest, left, bits)
        _settle(builder, running, maxima, place)
        return context.get_dummy_value()

    whole = types.intp
    return types.void(values, row, values.dtype, whole, whole, mask, lanes, whole, ahead), generate


@intrinsic
def subtract_rows(
    typing: Any, values: Any, first: Any, row: Any, kept: Any, factors: Any, n_kept: Any, room: Any,
    start: Any, units: Any, mask: Any, lanes: Any, at: Any,
):  # fmt: skip
    """values[i] = first[i] - sum over s <= n_kept of factors[s] * (row s)[i], for `units` UNITs from `start`.

    Rows 0 .. n_kept - 1 are in `kept`, which is laid out as (units of the whole array, `room` rows, UNIT) so that one
    turn reads it in order; row n_kept is `row`, and is put there as well. lanes[at : at + LANES]: maxima of the result.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        target, untouched, newest, rows, maxima = (
            _Array(context, builder, kinds[i], arguments[i]) for i in (0, 1, 2, 3, 10)
        )
        n_rows, capacity, begin, count, bits, place = (arguments[i] for i in (5, 6, 7, 8, 9, 11))
        element = target.element
        scalars = context.make_array(kinds[4])(context, builder, arguments[4]).data
        running = _running(builder, element)
        sums = [cgutils.alloca_once(builder, _vector(element)) for _ in range(_SIDE_BY_SIDE)]
        vector = _vector(element)
        name = f"llvm.fmuladd.v{LANES}f{kinds[0].dtype.bitwidth}"
        multiply_add = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        newest_factor = builder.fneg(_splat(builder, builder.load(builder.gep(scalars, [n_rows]))))
        with cgutils.for_range(builder, count) as turn:
            unit = builder.add(begin, builder.mul(turn.index, _index(UNIT)))
            block = builder.mul(unit, capacity)  # of this unit in `kept`
            for lane, total in enumerate(sums):
                index = builder.add(unit, _index(lane * LANES))
                fresh = newest.load(index, element)
                place_of_fresh = builder.add(
                    builder.add(block, builder.mul(n_rows, _index(UNIT))), _index(lane * LANES)
                )
                rows.store(fresh, place_of_fresh)
                builder.store(builder.call(multiply_add, [newest_factor, fresh, untouched.load(index)]), total)
            with cgutils.for_range(builder, n_rows) as old:
                factor = builder.fneg(_splat(builder, builder.load(builder.gep(scalars, [old.index]))))
                line = builder.add(block, builder.mul(old.index, _index(UNIT)))
                for lane, total in enumerate(sums):
                    share = rows.load(builder.add(line, _index(lane * LANES)))
                    builder.store(builder.call(multiply_add, [factor, share, builder.load(total)]), total)
            for lane, (total, largest) in enumerate(zip(sums, running, strict=True)):
                left = builder.load(total)
                target.store(left, builder.add(unit, _index(lane * LANES)))
                _raise_to(builder, largest, left, bits)
        _settle(builder, running, maxima, place)
        return context.get_dummy_value()

    whole = types.intp
    return types.void(values, first, row, kept, factors, whole, whole, whole, whole, mask, lanes, whole), generate


@intrinsic
def maxima(typing: Any, values: Any, start: Any, units: Any, mask: Any, lanes: Any, at: Any):
    """lanes[at : at + LANES]: the maxima of `units` UNITs of `values` from `start`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        source, found = (_Array(context, builder, kinds[i], arguments[i]) for i in (0, 4))
        begin, count, bits, place = (arguments[i] for i in (1, 2, 3, 5))
        running = _running(builder, source.element)
        with cgutils.for_range(builder, count) as turn:
            unit = builder.add(begin, builder.mul(turn.index, _index(UNIT)))
            for lane, largest in enumerate(running):
                _raise_to(builder, largest, source.load(builder.add(unit, _index(lane * LANES))), bits)
        _settle(builder, running, found, place)
        return context.get_dummy_value()

    return types.void(values, types.intp, types.intp, mask, lanes, types.intp), generate


@intrinsic
def largest_lane(typing: Any, lanes: Any, count: Any):
    """The largest of lanes[: count * LANES], at least zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = _Array(context, builder, signature.args[0], arguments[0])
        running = _running(builder, source.element)[0]
        with cgutils.for_range(builder, arguments[1]) as turn:
            vector = source.load(builder.mul(turn.index, _index(LANES)))
            builder.store(_larger(builder, vector, builder.load(running)), running)
        vector = builder.load(running)
        largest = builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))
        for lane in range(1, LANES):
            other = builder.extract_element(vector, ir.Constant(ir.IntType(32), lane))
            largest = _larger(builder, other, largest)
        return largest

    return lanes.dtype(lanes, types.intp), generate


@intrinsic
def first_reaching(typing: Any, values: Any, start: Any, enough: Any, mask: Any):
    """The first index from `start` on at which `values` reaches `enough`. There must be one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = _Array(context, builder, signature.args[0], arguments[0])
        wanted = _splat(builder, arguments[2])
        position = cgutils.alloca_once_value(builder, arguments[1])
        hits = cgutils.alloca_once(builder, ir.IntType(LANES))
        scan, found = builder.append_basic_block("scan"), builder.append_basic_block("found")
        builder.branch(scan)
        builder.position_at_end(scan)
        index = builder.load(position)
        compared = _masked(builder, source.load(index), arguments[3])
        reached = builder.bitcast(builder.fcmp_ordered(">=", compared, wanted), ir.IntType(LANES))
        builder.store(reached, hits)
        builder.store(builder.add(index, _index(LANES)), position)
        builder.cbranch(builder.icmp_unsigned("==", reached, ir.Constant(reached.type, 0)), scan, found)
        builder.position_at_end(found)
        lane = builder.cttz(builder.load(hits), ir.Constant(ir.IntType(1), 0))
        behind = builder.sub(builder.load(position), _index(LANES))
        return builder.add(behind, builder.zext(lane, ir.IntType(64)))

    return types.intp(values, types.intp, values.dtype, mask), generate


@intrinsic
def block_reaching(typing: Any, values: Any, start: Any, stop: Any, enough: Any, mask: Any):
    """The first of start, start + LANES, ... below `stop` behind which one of LANES values reaches `enough`; or `stop`.

    stop - start must be a multiple of LANES.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = _Array(context, builder, signature.args[0], arguments[0])
        end, wanted = arguments[2], _splat(builder, arguments[3])
        position = cgutils.alloca_once_value(builder, arguments[1])
        check, scan, skip, found = (builder.append_basic_block(name) for name in ("check", "scan", "skip", "found"))
        builder.branch(check)
        builder.position_at_end(check)
        index = builder.load(position)
        builder.cbranch(builder.icmp_signed("<", index, end), scan, found)
        builder.position_at_end(scan)
        compared = _masked(builder, source.load(index), arguments[4])
        reached = builder.bitcast(builder.fcmp_ordered(">=", compared, wanted), ir.IntType(LANES))
        builder.cbranch(builder.icmp_unsigned("==", reached, ir.Constant(reached.type, 0)), skip, found)
        builder.position_at_end(skip)
        builder.store(builder.add(index, _index(LANES)), position)
        builder.branch(check)
        builder.position_at_end(found)
        return builder.load(position)

    return types.intp(values, types.intp, types.intp, values.dtype, mask), generate


@intrinsic
def entry(typing: Any, row: Any, index: Any, like: Any):
    """row[index] in the dtype of `like`; bits of a half float become its value, whole numbers stay what they are."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        wanted = context.get_value_type(signature.return_type)
        loaded = builder.load(
            builder.gep(context.make_array(kind)(context, builder, arguments[0]).data, [arguments[1]])
        )
        if kind.dtype == types.int16:
            return builder.sitofp(loaded, wanted)
        if kind.dtype == types.uint16:
            loaded = builder.bitcast(loaded, ir.HalfType())
        return loaded if loaded.type == wanted else builder.fpext(loaded, wanted)

    return like(row, types.intp, like), generate


@intrinsic
def ask_for(typing: Any, row: Any, units: Any):
    """Asks for the first `units` UNITs of a row, to be read soon."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = _Array(context, builder, signature.args[0], arguments[0])
        with cgutils.for_range(builder, arguments[1]) as turn:
            array.prefetch(builder.mul(turn.index, _index(UNIT)))
        return context.get_dummy_value()

    return types.void(row, types.intp), generate
