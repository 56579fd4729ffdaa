#!/usr/bin/env python3
"""The peer's side of a task: draws the adapter that both programs start from, and trains it with PyTorch and peft, in
f32. tools/peers/task.py starts it and reads the one line of JSON.
"""
import argparse
import json
import math
import pathlib

import peft
import torch
import transformers

MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ONES = (1 << 64) - 1


def mixed(word):
    word = (word + 0x9E3779B97F4A7C15) & ONES
    word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & ONES
    word = ((word ^ word >> 27) * 0x94D049BB133111EB) & ONES
    return word ^ word >> 31


def order_of_epoch(seed, epoch, count):
    """The order in which temper takes examples: Fisher and Yates, by SplitMix64 (src/base/random.c)."""
    order = list(range(count))
    for i in range(count, 1, -1):
        j = mixed(mixed(mixed(seed) ^ epoch) ^ i) * i >> 64
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


def rate_of(step, steps, highest):
    """As src/train/schedule.c has it: 3 % of warm-up, of which the first step moves already, then a cosine to zero."""
    warm_up = math.ceil(steps * 3 / 100)
    if step <= warm_up:
        return highest * step / warm_up
    return highest * 0.5 * (1 + math.cos(math.pi * (step - warm_up - 1) / (steps - warm_up)))


def examples(path, tokenizer, context):
    """Each chat's ids, and its labels: those of the answer and of the end of its turn."""
    found = []
    for line in pathlib.Path(path).read_text().splitlines():
        chat = json.loads(line)["messages"]
        whole = list(tokenizer.apply_chat_template(chat, tokenize=True, return_dict=True)["input_ids"])[:context]
        prompt = list(tokenizer.apply_chat_template(chat[:-1], add_generation_prompt=True, tokenize=True,
                                                    return_dict=True)["input_ids"])
        found.append((whole, [-100] * len(prompt) + whole[len(prompt):]))
    return found


def padded(batch):
    length = max(len(ids) for ids, _ in batch)
    rows = [(ids + [0] * (length - len(ids)), [1] * len(ids) + [0] * (length - len(ids)),
             labels + [-100] * (length - len(ids))) for ids, labels in batch]
    ids, mask, labels = (torch.tensor(column) for column in zip(*rows))
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def answers(data):
    return sum(label != -100 for _, labels in data for label in labels)


def held_out_loss(model, data):
    total = 0.0
    with torch.no_grad():
        for at in range(0, len(data), 10):
            batch = data[at:at + 10]
            total += model(**padded(batch)).loss.item() * answers(batch)
    return total / answers(data)


def base_model(given):
    return transformers.AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32,
                                                             attn_implementation=given.attention)


def draw(given):
    torch.manual_seed(given.seed)
    lora = peft.LoraConfig(r=16, lora_alpha=32, target_modules=MODULES, task_type="CAUSAL_LM")
    peft.get_peft_model(base_model(given), lora).save_pretrained(given.start)
    print("{}")


def train(given):
    torch.set_num_threads(given.threads)
    tokenizer = transformers.AutoTokenizer.from_pretrained(given.model)
    base = base_model(given)
    context = base.config.max_position_embeddings
    data, held_out = (examples(path, tokenizer, context) for path in (given.data, given.held_out))
    model = peft.PeftModel.from_pretrained(base, given.start, is_trainable=True)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=given.rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    batches = [[data[i] for i in order[at:at + given.batch_size]]
               for order in (order_of_epoch(given.seed, epoch, len(data)) for epoch in range(given.epochs))
               for at in range(0, len(data), given.batch_size)]
    report = {"losses": [], "rates": [], "norms": [], "held_out": [held_out_loss(model, held_out)],
              "tokens": sum(len(ids) for ids, _ in data), "supervised_tokens": answers(data),
              "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                           "peft": peft.__version__}}
    for step, batch in enumerate(batches, 1):
        rate = rate_of(step, len(batches), given.rate)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss = model(**padded(batch)).loss
        loss.backward()
        report["norms"].append(torch.nn.utils.clip_grad_norm_(trained, 1.0).item())
        optimizer.step()
        report["losses"].append(loss.item())
        report["rates"].append(rate)
        if step % (len(batches) // given.epochs) == 0:
            report["held_out"].append(held_out_loss(model, held_out))
    print(json.dumps(report))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["draw", "train"])
    parser.add_argument("--model", required=True, help="the base model's directory")
    parser.add_argument("--start", required=True, help="the adapter's directory: written by draw, read by train")
    parser.add_argument("--data", help="chats to train on")
    parser.add_argument("--held-out", help="chats to measure the loss on")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--rate", type=float, help="the highest learning rate")
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa", help="which kernels compute it")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    draw(given) if given.what == "draw" else train(given)


if __name__ == "__main__":
    main()
