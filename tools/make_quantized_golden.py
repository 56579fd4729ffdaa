"""Writes tests/golden/quantized.json: a small matrix quantised by bitsandbytes, to nf4 with double-quantised scales and to
int8. Floats are written as hexadecimal bits of f32, bytes as hexadecimal digits.

    python tools/make_quantized_golden.py tests/golden/quantized.json      (needs torch and bitsandbytes)
"""

import json
import sys

import bitsandbytes
import bitsandbytes.functional as functional
import torch

ROWS, COLUMNS = 24, 96  # blocks of 64 that go on from one row to the next


def floats(tensor):
    return tensor.float().contiguous().view(torch.int32).numpy().astype(">i4").tobytes().hex()


def octets(tensor):
    return tensor.contiguous().view(torch.uint8).numpy().tobytes().hex()


def main():
    torch.manual_seed(5)
    weights = (torch.randn(ROWS, COLUMNS) * torch.linspace(0.2, 2, ROWS)[:, None]).bfloat16().float()
    codes, state = functional.quantize_4bit(weights, blocksize=64, compress_statistics=True, quant_type="nf4")
    # Not by dequantize_4bit, whose kernel for processors mixes up blocks that go on into the next row.
    block_scales = state.state2.code[state.absmax.long()] * state.state2.absmax[0] + state.offset
    levels = state.code[torch.stack([codes.view(-1) >> 4, codes.view(-1) & 15], 1).view(-1).long()]
    values = levels.view(-1, 64) * block_scales[:, None]
    rows, scales, _ = functional.int8_vectorwise_quant(weights.half())
    golden = {
        "bitsandbytes": bitsandbytes.__version__, "torch": torch.__version__, "rows": ROWS, "columns": COLUMNS,
        "weights": floats(weights),
        "nf4": {
            "codes": octets(codes), "scale_codes": octets(state.absmax), "scale_scales": floats(state.state2.absmax),
            "scale_levels": floats(state.state2.code), "levels": floats(state.code), "offset": floats(state.offset.reshape(1)),
            "values": floats(values),
        },
        "int8": {"codes": octets(rows), "scales": floats(scales), "values": floats(functional.int8_vectorwise_dequant(rows, scales))},
    }
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump(golden, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
