#!/usr/bin/env python3
"""Makes the small GGUF files of tests/fuzz/corpus/gguf: one of each architecture and vocabulary, tensors included.

usage: make_gguf_corpus.py DIRECTORY
"""
import pathlib
import struct
import sys

UINT32, FLOAT32, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9
F32, Q8_0 = 0, 8


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(kind, value):
    return text(value) if kind == STRING else struct.pack({UINT32: "<I", FLOAT32: "<f", BOOL: "<?", 5: "<i"}[kind], value)


def value(kind, content):
    if isinstance(content, list):
        return struct.pack("<IIQ", ARRAY, kind, len(content)) + b"".join(scalar(kind, each) for each in content)
    return struct.pack("<I", kind) + scalar(kind, content)


def elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def size_of(kind, shape):
    return elements(shape) * 4 if kind == F32 else elements(shape) // 32 * 34


def gguf(values, tensors, version=3):
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    head += b"".join(text(key) + value(kind, content) for key, kind, content in values)
    offset, data = 0, b""
    for name, kind, shape in tensors:
        head += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape) + struct.pack("<IQ", kind, offset)
        size = size_of(kind, shape)
        data += (struct.pack("<f", 1) * (size // 4) if name == "rope_freqs.weight" else bytes(size)) + bytes(-size % 32)
        offset += size + -size % 32
    return head + bytes(-len(head) % 32) + data


def sizes(architecture, heads=2):
    hidden, inner = 32, 32
    yield "general.architecture", STRING, architecture
    for key, number in (("block_count", 1), ("context_length", 64), ("embedding_length", hidden),
                        ("feed_forward_length", inner), ("attention.head_count", heads),
                        ("attention.head_count_kv", heads), ("attention.key_length", hidden // heads)):
        yield f"{architecture}.{key}", UINT32, number
    yield f"{architecture}.attention.layer_norm_rms_epsilon", FLOAT32, 1e-5
    yield f"{architecture}.rope.freq_base", FLOAT32, 10000.0


def tensors(vocabulary, kind=F32, extra=()):
    yield "token_embd.weight", kind, (32, vocabulary)
    yield "output_norm.weight", F32, (32,)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        yield f"blk.0.{name}.weight", kind, (32, 32)
    for name in ("attn_norm", "ffn_norm"):
        yield f"blk.0.{name}.weight", F32, (32,)
    yield from extra


def sentencepiece():
    pieces = ["<unk>", "<s>", "</s>", "<0x0A>", "▁", "a", "b", "▁a", "ab", "▁ab", "é"]
    yield "tokenizer.ggml.model", STRING, "llama"
    yield "tokenizer.ggml.tokens", STRING, pieces
    yield "tokenizer.ggml.scores", FLOAT32, [-float(i) for i in range(len(pieces))]
    yield "tokenizer.ggml.token_type", 5, [2, 3, 3, 6] + [1] * 7
    yield "tokenizer.ggml.bos_token_id", UINT32, 1
    yield "tokenizer.ggml.eos_token_id", UINT32, 2
    yield "tokenizer.ggml.add_space_prefix", BOOL, True


def byte_level(pre):
    pieces = ["a", "b", "Ġ", "ab", "Ġab", "<|end|>", "<tool>"]
    yield "tokenizer.ggml.model", STRING, "gpt2"
    yield "tokenizer.ggml.pre", STRING, pre
    yield "tokenizer.ggml.tokens", STRING, pieces
    yield "tokenizer.ggml.token_type", 5, [1] * 5 + [3, 4]
    yield "tokenizer.ggml.merges", STRING, ["a b", "Ġ ab"]
    yield "tokenizer.ggml.eos_token_id", UINT32, 5
    yield "tokenizer.chat_template", STRING, "{% for m in messages %}{{ m.content }}{% endfor %}"


def files():
    bias = tuple((f"blk.0.attn_{which}.bias", F32, (32,)) for which in "qkv")
    norms = tuple((f"blk.0.attn_{which}_norm.weight", F32, (16,)) for which in "qk")
    freqs = (("rope_freqs.weight", F32, (8,)),)
    yield "llama", gguf([*sizes("llama"), *sentencepiece()], [*tensors(11)])
    yield "llama-freqs", gguf([*sizes("llama"), *byte_level("llama-bpe")], [*tensors(7, Q8_0, freqs)])
    yield "qwen2", gguf([*sizes("qwen2"), *byte_level("qwen2")], [*tensors(7, F32, bias)], 2)
    yield "qwen3", gguf([*sizes("qwen3"), *byte_level("qwen2")], [*tensors(7, Q8_0, norms)])
    yield "values", gguf([("general.architecture", STRING, "llama"), ("a", BOOL, [True, False])], [])


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
