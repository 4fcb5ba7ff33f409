"""The host: ONNX graphs run by ONNX Runtime, one sample after another."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast, final

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.network.reference import session_options
from mcc.ir.program import HostCall


@final
class HostGraphs:
    """The host graphs of a program; each is prepared when it is first called.

    Every session has one thread and the settings of the reference executor, so that the bits are
    the same; `threads` samples run side by side.
    """

    def __init__(self, graphs: Sequence[bytes], threads: int = 1) -> None:
        """Take the graphs, as ONNX bytes."""
        self._graphs = graphs
        self._threads = threads
        self._sessions: dict[int, onnxruntime.InferenceSession] = {}

    def run(
        self, call: HostCall, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]
    ) -> None:
        """Run the graph of a call on every sample.

        Args:
            call: Names and types of the tensors.
            inputs: `(batch, *shape)` of every input of the call.
            outputs: Arrays of the same form, which are written.

        Raises:
            MccError: `host-failed` where the graph does not load or run, or gives other shapes.
        """
        session = self._session(call.graph)

        def one(sample: int) -> None:
            feeds = {
                region.name: np.require(array[sample], requirements=["C", "A"])
                for region, array in zip(call.inputs, inputs, strict=True)
            }
            self._sample(session, call, feeds, [array[sample, ...] for array in outputs])

        batch = len(inputs[0]) if inputs else len(outputs[0])
        if self._threads == 1 or batch == 1:
            for sample in range(batch):
                one(sample)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(one, range(batch)))

    def _sample(
        self,
        session: onnxruntime.InferenceSession,
        call: HostCall,
        feeds: dict[str, NDArray[Any]],
        outputs: Sequence[NDArray[Any]],
    ) -> None:
        names = [region.name for region in call.outputs]
        try:
            found = cast("list[NDArray[Any]]", cast("Any", session).run(names, feeds))
        except Exception as problem:
            raise _failed(call.graph, f"does not run: {problem}") from problem
        for region, array, result in zip(call.outputs, outputs, found, strict=True):
            if array.shape != result.shape or array.dtype != result.dtype:
                gives = f"gives `{region.name}` as {result.dtype} {result.shape}"
                raise _failed(call.graph, f"{gives}, not as {array.dtype} {array.shape}")
            array[...] = result

    def _session(self, graph: int) -> onnxruntime.InferenceSession:
        if graph not in self._sessions:
            try:
                self._sessions[graph] = onnxruntime.InferenceSession(
                    self._graphs[graph], session_options(), providers=["CPUExecutionProvider"]
                )
            except Exception as problem:
                raise _failed(graph, f"does not load: {problem}") from problem
        return self._sessions[graph]


def _failed(graph: int, what: str) -> Exception:
    return error("host-failed", f"host graph {graph} {what}")
