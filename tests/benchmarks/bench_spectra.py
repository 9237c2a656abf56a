"""Time the QR-core spectra against dense SVDs of the formed ΔW.

    python tests/benchmarks/bench_spectra.py

Interleaved in one process, medians of several rounds; prints times, ratios and the largest
difference relative to σ_1.
"""

import statistics
import time

import torch

from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.spectrum import factor_sigma, spectra

SHAPES = [(512, 512, 8), (1024, 1024, 8), (1024, 1024, 64), (1536, 576, 8), (2048, 2048, 16)]
SMOLLM2 = [(576, 576), (192, 576), (192, 576), (576, 576), (1536, 576), (1536, 576), (576, 1536)]


def clock(function, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def main() -> None:
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float32")
    print(
        f"{'out':>6}{'in':>6}{'r':>4}{'QR core ms':>12}{'dense ms':>10}{'ratio':>8}{'error/σ1':>10}"
    )
    for out, into, rank in SHAPES:
        A, B = torch.randn(rank, into), torch.randn(out, rank)
        ours = clock(lambda A=A, B=B: factor_sigma(A, B, 1.0), 15)
        dense = clock(lambda A=A, B=B: torch.linalg.svdvals(B @ A), 3)
        truth = torch.linalg.svdvals(B.double() @ A.double())[:rank]
        error = float((factor_sigma(A, B, 1.0) - truth).abs().max() / truth[0])
        print(f"{out:6}{into:6}{rank:4}{ours:12.3f}{dense:10.1f}{dense / ours:7.0f}×{error:10.1e}")
    print("\nall 210 layers of a SmolLM2-135M, batched by shape")
    for rank in (8, 16, 64):
        layers = [
            LayerWeights(f"{block}.{i}", torch.randn(rank, k), torch.randn(d, rank), 1.0, 1.0)
            for block in range(30)
            for i, (d, k) in enumerate(SMOLLM2)
        ]
        print(f"rank {rank:3}: {clock(lambda rows=layers: spectra(rows), 9):7.1f} ms")


if __name__ == "__main__":
    main()
