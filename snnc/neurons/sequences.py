"""Runs: whole sequences in one call, at once or in chunks."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from snnc import _core, _threads
from snnc._arguments import generator, index, real_numbers
from snnc.recording import Recording, Tape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import ClassVar, TypedDict, Unpack

    from numpy.typing import ArrayLike, DTypeLike

    from snnc._arguments import RNGLike, SeedLike
    from snnc.neurons.base import Configuration

    class NamedStates(TypedDict, total=False):
        """The states of all models, as keywords."""

        mem: ArrayLike | None
        syn: ArrayLike | None
        syn_exc: ArrayLike | None
        syn_inh: ArrayLike | None
        v: ArrayLike | None
        ref: ArrayLike | None
        past: ArrayLike | None


_INTS = {int, bool}


def _is_packed(spk_dtype: Any) -> bool:
    """Whether it says "packed", without asking code of the object's own."""
    return issubclass(type(spk_dtype), str) and str.__eq__(spk_dtype, "packed") is True


@functools.lru_cache(64)
def columns(
    states: tuple[str, ...], names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Check the names to record; with each one's place in the core's order."""
    order = (*_core.records, *states)
    for name in names:
        if name not in order:
            raise ValueError(f"record has {name!r}; expected names out of {', '.join(order)}")
    if len(set(names)) < len(names):
        raise ValueError(f"record={names!r} has a name twice")
    indices = tuple(order.index(name) for name in names)
    return tuple(order[i] for i in indices), indices  # of str, whatever class was given


class Sequences:
    """What a neuron does with a whole sequence: the half of `SpikingNeuron` that runs."""

    # What it asks of a neuron:
    states: ClassVar[tuple[str, ...]]
    State: ClassVar[Any]
    _name: ClassVar[str]
    _nothing: ClassVar[tuple[None, ...]]
    _no_checkpoints: ClassVar[tuple[None, ...]]
    _default: ClassVar[tuple[tuple[str, ...], tuple[int, ...]]]
    _prepares: ClassVar[bool] = False  # whether a run needs `_prepare`
    _recordable: ClassVar[tuple[str, ...]]  # states, in the core's order
    _run_in_core: ClassVar[Any] = None  # in place of _core.run
    _configuration: Configuration
    _held: tuple[Any, ...] | None
    _refuse_states: Callable[[Iterable[tuple[str, Any]]], None]

    def run(
        self,
        x: ArrayLike,
        *states: ArrayLike | None,
        num_steps: int | None = None,
        time_axis: int = 0,
        record: str | Iterable[str] | None = None,
        every: int = 1,
        neurons: slice | ArrayLike | None = None,
        spk_dtype: DTypeLike | None = None,
        grad: bool = False,
        checkpoint: int = 16,
        out: Recording | Mapping[str, Any] | None = None,
        dtype: DTypeLike | None = None,
        num_threads: int | None = None,
        rng: RNGLike | SeedLike | None = None,
        **named_states: Unpack[NamedStates],
    ) -> Recording:
        """Run a whole sequence in one call: the same bits as one call a step.

        Parameters
        ----------
        x : array_like, shape (T, ...)
            The input, time first. Any layout will do, and float32, float64, float16, uint8
            and bool are read as they are; other dtypes are converted first.
        *states, **named_states : array_like, optional
            The states to start from, by position (in the order of ``states``) or by name.
            They broadcast to the neuron shape; missing ones are at rest. A neuron that holds
            its states (``init_hidden=True``) takes none: it goes on from, and updates, those.
        num_steps : int, optional
            If given, `x` has no time axis: it is a constant input for that many steps.
        time_axis : int, default 0
            Where time is in `x`, and in all arrays of neuron shape with a time axis that
            come out of the run or are given as `out`.
        record : str or iterable of str, optional
            What to record: any of ``"spk"``, the names in ``states``, ``"count"`` (spikes of
            each neuron), ``"first_spike"`` (the step of each neuron's first, or -1) and
            ``"events"`` (for ``events()`` and ``spike_times()`` without an array of spikes);
            by default ``"spk"`` and all states (of `LIF` ``"v"`` alone). Recording less is
            faster: long runs are limited by memory bandwidth.
        every : int, default 1
            Record the states only after steps every - 1, 2 every - 1, ...; spikes, counts and
            events see every step.
        neurons : slice or sequence of int, optional
            Record the states of these neurons only, by index into the flattened (C order)
            neuron shape, as arrays of shape (T, number of them).
        spk_dtype : {float32, float64, uint8, bool, "packed"}, optional
            The dtype of the recorded spikes; by default that of the states. ``"packed"`` is
            eight neurons a byte: uint8 of shape (T, ceil(n/8)), for `snnc.unpack_spikes`.
        grad : bool, default False
            Whether to keep what `backward` needs: the states every `checkpoint` steps, and `x`
            itself, which must not be changed before then.
        checkpoint : int, default 16
            With `grad`: states are kept every so many steps. Larger values save memory but
            recompute more steps in backward, whose workspace grows. Values above 65536 are
            taken as 65536. With 1 all states are kept and nothing is recomputed, which is
            faster where memory bandwidth allows. Gradients are the same bits for every value.
        out : Recording or dict, optional
            Arrays to fill: an earlier recording of the same shape, or a dict with names out
            of `record` and ``"state"`` (a tuple of final states) as keys. They must have
            exactly the shape and dtype of the result and be C-contiguous. After an
            interrupt, or a MemoryError during the run, their contents are unspecified. To
            allocate arrays that are larger than the caches often takes longer than the run: in
            a loop pass the last recording.
        dtype : {float32, float64}, optional
            The dtype to compute in; by default float64 if `x` or a state is, else float32 (of
            `LIF`: float32 if all arrays among `x` and the states are float32 or float16, else
            float64). Python's own numbers and the parameters do not affect it.
        num_threads : int, optional
            How many threads may share the run; by default what `snnc.set_num_threads` says.
        rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
            Where the noise of a `LIF` neuron with `sigma` comes from, which needs it; an int
            seeds this one run.

        Returns
        -------
        Recording
            Unpacks into the recorded arrays: ``spk, mem = lif.run(x)``. Its ``state`` holds
            the final states, from which another run may go on.

        Raises
        ------
        TypeError
            If an argument is not an array of real numbers, `x` has no time axis, or a state
            is passed to a neuron that holds its own.
        ValueError
            If shapes don't broadcast, or an option or an array of `out` is not as described.

        Examples
        --------
        >>> import numpy as np
        >>> import snnc
        >>> lif = snnc.Leaky(beta=[0.5, 0.9, 0.99])
        >>> rec = lif.run(0.3, num_steps=100, record="spk", spk_dtype=np.uint8)
        >>> rec.spk.shape, rec.spk.sum(axis=0)
        ((100, 3), array([ 0, 23, 29], dtype=uint64))
        >>> more = lif.run(0.3, *rec.state, num_steps=100, record=("count", "mem"), every=50)
        >>> more.count, more.mem.shape
        (array([ 0, 23, 29]), (2, 3))
        """
        held = self._held
        begin = self._start(held, states, named_states, "run")
        if hasattr(x, "__next__"):
            raise TypeError(
                f"x is an iterator ({type(x).__name__}): run needs the whole sequence, e.g. "
                "np.stack(list(x)); run_chunks takes it chunk by chunk"
            )
        return self._run(
            x, begin, held is not None, num_steps, time_axis, record, every, 0, neurons,
            spk_dtype, grad, checkpoint, out, dtype, num_threads, rng,
        )  # fmt: skip

    def run_chunks(
        self,
        chunks: Iterable[ArrayLike],
        *states: ArrayLike | None,
        num_steps: int | None = None,
        time_axis: int = 0,
        record: str | Iterable[str] | None = None,
        every: int = 1,
        neurons: slice | ArrayLike | None = None,
        spk_dtype: DTypeLike | None = None,
        grad: bool = False,
        checkpoint: int = 16,
        out: Recording | Mapping[str, Any] | None = None,
        dtype: DTypeLike | None = None,
        num_threads: int | None = None,
        rng: RNGLike | SeedLike | None = None,
        **named_states: Unpack[NamedStates],
    ) -> Iterator[Recording]:
        """Run a sequence that comes in chunks: the same bits as one run over the whole.

        Each chunk is run when its recording is asked for, so neither the input nor the
        output is ever whole in memory.

        Parameters
        ----------
        chunks : iterable of array_like, each of shape (T, ...)
            The input: a list, a generator, slices of an ``np.memmap``. T may differ from one
            chunk to the next.
        *states, num_steps, time_axis, record, every, neurons, spk_dtype, grad, checkpoint, out, \
dtype, num_threads, rng, **named_states
            As for `run`; the states are those before the first chunk.

        Yields
        ------
        Recording
            One for each chunk. Steps (``steps``, ``first_spike``, ``events()``,
            ``spike_times()``, and the phase of `every`) count from the start of the first
            chunk; ``count`` is the chunk's own.

        Raises
        ------
        TypeError, ValueError
            As `run`: at once for states that are refused, else with the first chunk that is.

        Examples
        --------
        A long recording on disk, a thousand steps at a time:

        >>> import numpy as np
        >>> import snnc
        >>> x = np.full((5000, 3), [0.1, 0.2, 0.3], np.float32)  # or np.load(f, mmap_mode="r")
        >>> lif = snnc.Leaky(beta=0.9)
        >>> count = 0
        >>> for rec in lif.run_chunks((x[t : t + 1000] for t in range(0, 5000, 1000)),
        ...                           record="count"):
        ...     count = count + rec.count
        >>> count
        array([   0,  681, 1153])

        With a progress bar: ``for rec in tqdm(lif.run_chunks(chunks), total=5):``.
        """
        held = self._held
        begin = self._start(held, states, named_states, "run_chunks")
        if rng is not None:
            rng = generator("rng", rng)  # the same for all chunks

        def run_each() -> Iterator[Recording]:
            first_step = 0
            state = begin
            for chunk in chunks:
                rec = self._run(
                    chunk, state, held is not None, num_steps, time_axis, record, every,
                    first_step, neurons, spk_dtype, grad, checkpoint, out, dtype, num_threads, rng,
                )  # fmt: skip
                state = rec.state if self._held is None else self._held
                first_step += rec.num_steps
                yield rec

        return run_each()

    def _start(
        self,
        held: tuple[Any, ...] | None,
        states: tuple[ArrayLike | None, ...],
        named_states: Mapping[str, Any],
        method: str,
    ) -> tuple[Any, ...]:
        """Sort out the states to start from."""
        if not named_states and held is None:  # the common ways, without a loop
            if not states:
                return self._nothing
            if len(states) == len(self.states) and _INTS.isdisjoint(map(type, states)):
                return states
        start = self._name_states(states, named_states, method)
        for name, state in zip(self.states, states, strict=False):
            if type(state) in _INTS:
                raise TypeError(
                    f"{method} got {state!r} for {name} by position: for the number of steps "
                    f"write num_steps={state!r}, for the state {name}={state!r}"
                )
        if held is not None:
            self._refuse_states(start.items())
            return held
        return tuple(start.get(name) for name in self.states)

    def _name_states(
        self,
        states: tuple[ArrayLike | None, ...],
        named_states: Mapping[str, Any],
        method: str,
    ) -> dict[str, Any]:
        """Name what was given for states, by position or by keyword."""
        if len(states) > len(self.states):
            raise TypeError(
                f"{method} takes at most {len(self.states)} states ({', '.join(self.states)}), "
                f"{len(states)} were given"
            )
        given: dict[str, Any] = dict(zip(self.states, states, strict=False))
        for name, state in named_states.items():
            if name not in self.states:
                raise TypeError(
                    f"{method} got an unexpected keyword argument {name!r} (the states of a "
                    f"{type(self).__name__} are {', '.join(self.states)})"
                )
            if name in given:
                raise TypeError(f"{method} got {name} by position and by keyword")
            given[name] = state
        return given

    def _run(
        self,
        x: Any,
        begin: tuple[Any, ...],
        holds: bool,
        num_steps: int | None,
        time_axis: int,
        record: str | Iterable[str] | None,
        every: int,
        first_step: int,
        neurons: Any,
        spk_dtype: DTypeLike | None,
        grad: bool,
        checkpoint: int,
        out: Recording | Mapping[str, Any] | None,
        dtype: DTypeLike | None,
        num_threads: int | None,
        rng: Any,
    ) -> Recording:
        configuration = self._configuration  # the run's, whatever is assigned meanwhile
        if type(time_axis) is not int:
            time_axis = index("time_axis", time_axis)
        if type(every) is not int:
            every = index("every", every)
        if grad is not False:
            checkpoint = self._interval(configuration, grad, checkpoint)
            if type(x) not in (bool, int, float):
                x = real_numbers("x", x)  # once: the backward pass reads the same
        if rng is not None or self._prepares:
            x, begin, num_steps, dtype = self._prepare(
                configuration, x, begin, holds, num_steps, time_axis, dtype, rng
            )
        if record is None:
            names, indices = self._default
        else:
            try:
                asked = (record,) if isinstance(record, str) else tuple(record)
                names, indices = columns(self._recordable, asked)
            except TypeError:
                raise TypeError(
                    f"record={record!r}; expected names out of "
                    f"{(*_core.records, *self._recordable)}"
                ) from None
        given = None
        if out is not None:
            given = self._given(out, names, grad)
            if grad and isinstance(x, np.ndarray):  # which the backward pass reads again
                recorded, final, kept, _ = given
                if _core.may_overlap(x, (*recorded, *final, *kept)):
                    x = x.copy()
        arrays, state, steps, checkpoints = (self._run_in_core or _core.run)(
            configuration.cell,
            x,
            holds,
            begin,
            num_steps,
            time_axis,
            indices,
            every,
            first_step,
            neurons,
            spk_dtype,
            given,
            dtype,
            _threads.num_threads if num_threads is None else num_threads,
            checkpoint if grad else 0,
        )
        rec = Recording(
            dict(zip(names, arrays)),  # noqa: B905  # one array a name; strict costs more
            self.State(*state),
            steps,
            time_axis,
            self._dt(configuration),
            every,
            first_step,
            _is_packed(spk_dtype),
        )
        if checkpoints is not None:
            rec._tape = self._tape(
                configuration,
                x.view() if isinstance(x, np.ndarray) else x,
                num_steps is not None,
                steps,
                time_axis,
                checkpoints,
                checkpoint,
            )
        if holds and self._held is not None:  # unless init_hidden was unset meanwhile
            self._held = tuple(np.copy(s) for s in state)  # last, as nothing can fail after it
        return rec

    def _prepare(
        self,
        configuration: Configuration,
        x: Any,
        begin: tuple[Any, ...],
        holds: bool,
        num_steps: Any,
        time_axis: int,
        dtype: Any,
        rng: Any,
    ) -> tuple[Any, tuple[Any, ...], Any, Any]:
        """Do to the input, the start states and the dtype what a model needs before a run."""
        raise TypeError(f"rng={rng!r}: a {type(self).__name__} has no noise")

    def _tape(self, configuration: Configuration, *kept: Any) -> Tape:
        """Keep what `backward` needs, as `Tape` lists it."""
        return Tape(self._name, configuration.cell, configuration.parameters, *kept)

    def _checkpoints_of(self, tape: Tape) -> tuple[Any, ...]:
        """Return the arrays of an earlier run's tape, to be filled again."""
        same = tape.model == self._name and tape.loop is None
        return tape.checkpoints if same else self._no_checkpoints

    def _interval(self, configuration: Configuration, grad: Any, checkpoint: Any) -> int:
        """Return after how many steps states are kept; refuse it where there is no gradient."""
        raise ValueError(f"grad={grad!r}: a {type(self).__name__} has no gradient")

    def _dt(self, configuration: Configuration) -> Any:
        return 1

    def _given(
        self, out: Recording | Mapping[str, Any], names: tuple[str, ...], grad: bool
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...], Recording | None]:
        """Arrays to fill: for each recorded name, each state, and the checkpoints of each.

        With them the recording that holds them, whose tape goes with the first write.
        """
        arrays: Mapping[str, Any]
        state: Any
        checkpoints: tuple[Any, ...] = self._no_checkpoints
        if isinstance(out, Recording):
            arrays, state = out._arrays, out.state
            if grad and out._tape is not None:
                checkpoints = self._checkpoints_of(out._tape)
        elif type(out) is dict or isinstance(out, Mapping):  # asking the latter is slow
            arrays, state = out, out.get("state")
            for name in out:
                if name not in names and name != "state":
                    raise ValueError(
                        f"out has {name!r}; expected names out of what is recorded "
                        f"({', '.join(names)}), or 'state'"
                    )
                if name == "events":
                    raise ValueError("out: 'events' can't be given, as their number isn't known")
        else:
            raise TypeError(f"out={out!r}; expected a Recording or a dict of arrays")
        if state is None:
            state = (None,) * len(self.states)
        if not isinstance(state, (tuple, list)) or len(state) != len(self.states):
            raise ValueError(
                f"out: 'state' must be a tuple of {len(self.states)} "
                f"({', '.join(self.states)}), not {state!r}"
            )
        given = [None if name == "events" else arrays.get(name) for name in names]
        recording = out if isinstance(out, Recording) else None
        return tuple(given), tuple(state), checkpoints, recording
