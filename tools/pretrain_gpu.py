#!/usr/bin/env python3
"""Pretrains the built-in model on one GPU, in minutes: what tools/pretrain.sh does with temper itself on processors.

    python3 tools/pretrain_gpu.py OUTPUT --corpora DIR (--minutes M | --steps N) [--device cpu]

Needs PyTorch 2.5 or newer, NumPy and `tokenizers`. Chats and pieces of books are made by pretraining_blocks.py, on all
processors, while the GPU trains: no chat is seen twice. Documents lie one behind another and attention keeps them apart.
The loss weighs 1 on answers, 0.1 on prompts, 0.5 on books, as in temper; Muon for the matrices, Adam for the rest; the
rate is constant, then goes straight to zero. With --minutes the rate follows the clock, whatever the machine's speed;
`log.jsonl` says how many steps were made, and --steps makes about the same run again. OUTPUT gets config.json and
model.safetensors (bf16, Hugging Face's names), now and then and at the end.
"""
import argparse
import json
import math
import queue
import threading
import time
from pathlib import Path

import pretraining_blocks as blocks

WEIGHTS = (0.0, 0.1, 1.0, 0.5)  # of what pretraining_blocks calls NOTHING, PROMPT, ANSWER, TEXT
ROOT = Path(__file__).resolve().parent.parent


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared/data/corpora")
    parser.add_argument("--base", type=Path, default=ROOT / "models" / "mini-instruct", help="whose tokenizer and config.json are taken")
    parser.add_argument("--minutes", type=float, help="of training, from its first step on")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=20260)
    parser.add_argument("--workers", type=int, default=14)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=65536, help="tokens a step")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--feed-forward", type=int)
    parser.add_argument("--heads", type=int)
    parser.add_argument("--kv-heads", type=int)
    parser.add_argument("--muon-rate", type=float, default=0.02)
    parser.add_argument("--adam-rate", type=float, default=0.003)
    parser.add_argument("--decay", type=float, default=0.5, help="the last share of the steps, in which the rate falls")
    parser.add_argument("--warmup", type=int, default=200)
    parser.add_argument("--block-tokens", type=int, default=1_000_000)
    parser.add_argument("--save-seconds", type=float, default=170)
    given = parser.parse_args()
    if not given.minutes and not given.steps:
        parser.error("say --minutes or --steps")
    return given


GIVEN = parse() if __name__ == "__main__" else None
if GIVEN:
    # Before PyTorch is imported: the makers of data are forks of this process, and shall stay small.
    GIVEN.output.mkdir(parents=True, exist_ok=True)
    DATA = blocks.Makers(GIVEN)

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

# ---- the model: Llama, as transformers and temper compute it ----


def rotate(x, cos, sin):
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


def attention(q, k, v, bounds, longest):
    """Causal attention within each document; q, k, v are [rows, heads, size], bounds the documents' first rows and the end."""
    if q.is_cuda:
        return torch.ops.aten._flash_attention_forward(q, k, v, bounds, bounds, longest, longest, 0.0, True, False)[0]
    document = torch.searchsorted(bounds[1:].contiguous(), torch.arange(len(q)), right=True)
    mask = (document[:, None] == document[None, :]) & torch.ones(len(q), len(q), dtype=torch.bool).tril()
    repeat = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
    out = F.scaled_dot_product_attention(q.transpose(0, 1)[None], k.transpose(0, 1)[None], v.transpose(0, 1)[None], attn_mask=mask)
    return out[0].transpose(0, 1)


class Model(nn.Module):
    """Matrices of a kind are one parameter [layers, rows, columns], so that Muon treats them at once."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        layers, hidden, inner = config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"]
        size = config["head_dim"]
        q, kv = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
        self.embedding = nn.Parameter(torch.randn(config["vocab_size"], hidden) * 0.02)
        shapes = {"q": (q, hidden), "k": (kv, hidden), "v": (kv, hidden), "o": (hidden, q),
                  "gate": (inner, hidden), "up": (inner, hidden), "down": (hidden, inner)}
        self.matrices = nn.ParameterDict({name: nn.Parameter(torch.randn(layers, *shape) * 0.02) for name, shape in shapes.items()})
        for name in ("o", "down"):
            self.matrices[name].data /= math.sqrt(2 * layers)
        self.norms = nn.ParameterDict({name: nn.Parameter(torch.ones(layers, hidden)) for name in ("attention", "feed_forward")})
        self.last_norm = nn.Parameter(torch.ones(hidden))
        angles = torch.arange(config["max_position_embeddings"])[:, None] / config["rope_theta"] ** (torch.arange(0, size, 2) / size)[None]
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def norm(self, x, weight):
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.config["rms_norm_eps"]) * weight).to(x.dtype)

    def forward(self, tokens, positions, bounds, longest, kind):
        size = self.config["head_dim"]
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        x = F.embedding(tokens, self.embedding).to(kind)
        each = {name: parameter.to(kind).unbind(0) for name, parameter in self.matrices.items()}
        norms = {name: parameter.unbind(0) for name, parameter in self.norms.items()}
        for layer in range(self.config["num_hidden_layers"]):
            h = self.norm(x, norms["attention"][layer])
            q, k, v = (F.linear(h, each[name][layer]).view(len(x), -1, size) for name in ("q", "k", "v"))
            h = attention(rotate(q, cos, sin), rotate(k, cos, sin), v, bounds, longest)
            x = x + F.linear(h.reshape(len(x), -1), each["o"][layer])
            h = self.norm(x, norms["feed_forward"][layer])
            x = x + F.linear(F.silu(F.linear(h, each["gate"][layer])) * F.linear(h, each["up"][layer]), each["down"][layer])
        return F.linear(self.norm(x, self.last_norm), self.embedding.to(kind))


def logits_of(model, batch, kind):
    return model(batch["tokens"], batch["positions"], batch["bounds"], blocks.LONGEST, kind)


def loss_of(model, batch, kind):
    logits = logits_of(model, batch, kind)
    loss = F.cross_entropy(logits.float(), batch["targets"].long(), reduction="none")
    weights = batch["weights"]
    return (loss * weights).sum() / weights.sum().clamp(min=1e-9)


# ---- the optimiser ----


def orthogonal(g):
    """Five Newton-Schulz steps for a stack of matrices (Jordan 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.to(torch.bfloat16)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * (s @ s)) @ x
    return (x.mT if tall else x).to(g.dtype)


class Muon:
    def __init__(self, parameters, momentum=0.95, decay=0.01):
        self.parameters, self.momentum, self.decay = list(parameters), momentum, decay
        self.buffers = [torch.zeros_like(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self, rate):
        for parameter, buffer in zip(self.parameters, self.buffers):
            gradient = parameter.grad
            buffer.lerp_(gradient, 1 - self.momentum)
            update = orthogonal(gradient.lerp(buffer, self.momentum))
            scale = math.sqrt(max(1, parameter.shape[-2] / parameter.shape[-1]))
            parameter.mul_(1 - rate * self.decay).add_(update, alpha=-rate * scale)


# ---- batches ----


class Batches:
    """Blocks lie on the GPU as a whole, brought there by a thread; a batch is a stretch of one that begins with a document.

    The last document of a stretch is cut where the stretch ends, and the next one begins with it again. The list of
    bounds has always the same length, for the compiler's sake: empty documents fill it.
    """

    def __init__(self, data, size, device):
        self.data, self.size, self.device = data, size, device
        self.ready = queue.Queue(maxsize=3)
        threading.Thread(target=self.fill, daemon=True).start()

    def fill(self):
        for tokens, kinds, lengths in self.data.blocks():
            self.ready.put(Block(tokens, kinds, lengths, self.size, self.device))

    def __iter__(self):
        while True:
            yield from self.ready.get().batches()


class Block:
    def __init__(self, tokens, kinds, lengths, size, device):
        self.size, self.starts = size, np.cumsum(lengths) - lengths
        weights = np.zeros(len(tokens), np.float32)
        weights[:-1] = np.asarray(WEIGHTS, np.float32)[kinds[1:]]  # NOTHING, where a document begins, weighs nothing
        positions = np.arange(len(tokens)) - np.repeat(self.starts, lengths)
        arrays = {"tokens": tokens.astype(np.int32), "targets": np.roll(tokens, -1).astype(np.int32), "weights": weights, "positions": positions.astype(np.int32)}
        self.rows = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
        self.bounds, self.begins, at = [], [], 0
        while self.starts[at] + size <= len(tokens):
            begin = int(self.starts[at])
            to = int(np.searchsorted(self.starts, begin + size))
            starts = (self.starts[at:to] - begin)[:size // 64]
            self.bounds.append(np.concatenate([starts, np.full(size // 64 + 1 - len(starts), size)]).astype(np.int32))
            self.begins.append(begin)
            if to == len(self.starts):
                break  # the rest of a block that fills no batch is left out
            at = max(at + 1, to - 1)
        self.bounds = torch.from_numpy(np.array(self.bounds)).to(device)

    def batches(self):
        for number, begin in enumerate(self.begins):
            yield {**{name: rows[begin:begin + self.size] for name, rows in self.rows.items()}, "bounds": self.bounds[number]}


# ---- files ----


def named_tensors(model):
    yield "model.embed_tokens.weight", model.embedding
    places = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
              "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
    for layer in range(model.config["num_hidden_layers"]):
        yield f"model.layers.{layer}.input_layernorm.weight", model.norms["attention"][layer]
        yield f"model.layers.{layer}.post_attention_layernorm.weight", model.norms["feed_forward"][layer]
        for name, place in places.items():
            yield f"model.layers.{layer}.{place}.weight", model.matrices[name][layer]
    yield "model.norm.weight", model.last_norm


def save(model, output):
    header, data, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in named_tensors(model):
        raw = tensor.detach().to(torch.bfloat16).cpu().contiguous().view(torch.int16).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [at, at + len(raw)]}
        data.append(raw)
        at += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    part = output / "model.safetensors.part"
    part.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data))
    part.rename(output / "model.safetensors")
    (output / "config.json").write_text(json.dumps(model.config, indent=2) + "\n")


def read_config(given):
    config = json.loads((given.base / "config.json").read_text())
    for name, value in {"num_hidden_layers": given.layers, "hidden_size": given.hidden, "intermediate_size": given.feed_forward,
                        "num_attention_heads": given.heads, "num_key_value_heads": given.kv_heads}.items():
        config[name] = value or config[name]
    return config


# ---- training ----


@torch.no_grad()
def held_out(model, data, kind, device):
    """By family: the mean loss of a token of the answers, and how many chats have all answers right, token by token."""
    sums, rows = {}, list(data.held_out())
    for at in range(0, len(rows), 100):
        names, tokens, kinds = zip(*rows[at:at + 100])
        lengths = np.array([len(one) for one in tokens])
        size = -(-int(lengths.sum()) // 4096) * 4096
        filler = [blocks.LONGEST] * ((size - int(lengths.sum())) // blocks.LONGEST) + [(size - int(lengths.sum())) % blocks.LONGEST]
        filler = [length for length in filler if length]
        block = Block(np.concatenate([*tokens, np.zeros(sum(filler), np.uint16)]), np.concatenate([*kinds, np.zeros(sum(filler), np.uint8)]),
                      np.concatenate([lengths, filler]).astype(np.int64), size, device)
        batch = next(block.batches())
        logits, ends = logits_of(model, batch, kind).float(), np.cumsum(lengths)
        losses = F.cross_entropy(logits, batch["targets"].long(), reduction="none").cpu().numpy()
        right = (logits.argmax(-1) == batch["targets"]).cpu().numpy()
        for name, end, length, of in zip(names, ends, lengths, kinds):
            answers = np.nonzero(of[1:] == blocks.ANSWER)[0] + end - length
            one = sums.setdefault(name, [0.0, 0, 0, 0])
            one[0] += float(losses[answers].sum())
            one[1] += len(answers)
            one[2] += bool(right[answers].all())
            one[3] += 1
    total = [sum(column) for column in zip(*sums.values())]
    return {"loss": round(total[0] / total[1], 4), "exact": round(total[2] / total[3], 3),
            "families": {name: f"{one[2]}/{one[3]}" for name, one in sorted(sums.items())}}


def rate_at(given, step, seconds):
    """The share of the full rate: by steps where their number is given, else by the time that is left."""
    done = (step - 1) / given.steps if given.steps else min(1.0, seconds / (given.minutes * 60))
    return min(1.0, step / given.warmup, (1 - done) / given.decay)


def train(given, data):
    device = given.device
    torch.manual_seed(given.seed)
    kind = torch.bfloat16 if device == "cuda" else torch.float32
    model = Model(read_config(given)).to(device)
    adam = torch.optim.Adam([model.embedding, model.last_norm, *model.norms.values()], lr=given.adam_rate, betas=(0.9, 0.95), eps=1e-10, fused=device == "cuda")
    muon = Muon(model.matrices.values())
    batches = Batches(data, given.batch, device)
    run = torch.compile(loss_of, dynamic=False) if device == "cuda" else loss_of
    if device == "cuda":  # compiled while the makers of data still read books
        torch.set_float32_matmul_precision("high")
        dummy = Block(np.ones(given.batch, np.uint16), np.full(given.batch, blocks.TEXT, np.uint8), np.full(given.batch // 512, 512), given.batch, device)
        run(model, next(dummy.batches()), kind).backward()
        muon.step(0.0)
        for parameter in model.parameters():
            parameter.grad = None
        for buffer in muon.buffers:
            buffer.zero_()
    log = open(given.output / "log.jsonl", "w")

    def say(**event):
        line = json.dumps(event)
        print(line, flush=True)
        log.write(line + "\n")
        log.flush()

    say(parameters=sum(parameter.numel() for parameter in model.parameters()), config=model.config, seed=given.seed, batch=given.batch)
    step, begun, saved, tokens = 0, None, time.monotonic(), 0
    recent, told = [], time.monotonic()
    for batch in batches:
        seconds = time.monotonic() - begun if begun else 0.0  # compiling and waiting for the first data are not counted
        if step == given.steps or (given.minutes and seconds >= given.minutes * 60):
            break
        step += 1
        loss = run(model, batch, kind)
        loss.backward()
        rate = rate_at(given, step, seconds)
        for group in adam.param_groups:
            group["lr"] = given.adam_rate * rate
        adam.step()
        muon.step(given.muon_rate * rate)
        for parameter in model.parameters():
            parameter.grad = None
        tokens += given.batch
        recent.append(loss.detach())
        if begun is None:
            say(first_step=True, loss=float(recent[0]))
            begun = told = saved = time.monotonic()
        if step % 20:
            continue
        mean = float(torch.stack(recent[-20:]).mean())  # waits for the GPU, so that the clock is right
        now = time.monotonic()
        if now - told > 10:
            say(step=step, loss=round(mean, 4), rate=round(rate, 4), tokens=tokens, seconds=round(now - begun, 1),
                tokens_per_second=round(tokens / (now - begun)), waiting=batches.ready.qsize(), block=data.taken)
            recent, told = recent[-20:], now
        if now - saved > given.save_seconds:
            save(model, given.output)
            say(step=step, held_out=held_out(model, data, kind, device))
            saved = time.monotonic()
    save(model, given.output)
    say(done=True, step=step, tokens=tokens, seconds=round(time.monotonic() - begun, 1), held_out=held_out(model, data, kind, device))


if __name__ == "__main__":
    train(GIVEN, DATA)
    DATA.stop()
