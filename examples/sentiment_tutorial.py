#!/usr/bin/env python3
"""A tutorial, to be read and run: teach a model to label sentences, and measure what it has learned.

    pip install openai
    export OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=sk-temper-...
    python3 examples/sentiment_tutorial.py

Nothing here is special to temper but the name of the model: it is what one writes for a hosted fine-tuning service.
With a larger base model (--model) the accuracies are those of a larger base model.
"""
import argparse
import csv
import io
import json
import pathlib
import sys
import time

import openai

SENTENCES = pathlib.Path(__file__).with_name("sentiment-sentences.csv")
INSTRUCTION = "Label the text by its sentiment."


def labelled_sentences(split):
    with open(SENTENCES, newline="") as file:
        return [(row["sentence"], row["label"]) for row in csv.DictReader(file) if row["split"] == split]


def question(sentence):
    return [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": sentence}]


def as_file(lines, name):
    """What the API takes: one JSON object a line."""
    return name, io.BytesIO("".join(json.dumps(line) + "\n" for line in lines).encode())


# 1. A training file: each line is a chat that ends in the answer to be learned.

def upload_training_file(client):
    chats = [{"messages": question(sentence) + [{"role": "assistant", "content": label}]}
             for sentence, label in labelled_sentences("train")]
    return client.files.create(file=as_file(chats, "sentiment.jsonl"), purpose="fine-tune")


# 2. A fine-tuning job, followed until it ends.

def fine_tune(client, model, training_file):
    job = client.fine_tuning.jobs.create(
        model=model, training_file=training_file.id, suffix="sentiment", seed=1,
        method={"type": "supervised", "supervised": {"hyperparameters": {
            "n_epochs": 6, "batch_size": 4, "learning_rate_multiplier": 0.3}}})  # gently: the model knows headlines already
    seen = set()
    while job.status not in ("succeeded", "failed", "cancelled"):
        time.sleep(1)
        job = client.fine_tuning.jobs.retrieve(job.id)
        for event in reversed(list(client.fine_tuning.jobs.list_events(job.id, limit=100).data)):
            if event.id not in seen and event.type == "message":
                print(f"  {event.message}")
            seen.add(event.id)
    if job.status != "succeeded":
        sys.exit(f"the job {job.status}: {job.error.message if job.error else ''}")
    return job.fine_tuned_model


# 3. The sentences that were kept back, asked as one batch: half the price elsewhere, idle capacity here.

def ask_in_a_batch(client, model, sentences):
    requests = [{"custom_id": str(number), "method": "POST", "url": "/v1/chat/completions",
                 "body": {"model": model, "messages": question(sentence), "temperature": 0, "max_tokens": 5}}
                for number, sentence in enumerate(sentences)]
    file = client.files.create(file=as_file(requests, "questions.jsonl"), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.5)
        batch = client.batches.retrieve(batch.id)
    if batch.status != "completed" or not batch.output_file_id:
        sys.exit(f"the batch {batch.status}: {batch.errors}")
    answers = [""] * len(sentences)
    for line in client.files.content(batch.output_file_id).text.splitlines():
        result = json.loads(line)  # results come in any order: custom_id says whose they are
        answers[int(result["custom_id"])] = result["response"]["body"]["choices"][0]["message"]["content"]
    return answers


# 4. How many are right.

def accuracy(client, model):
    sentences, labels = zip(*labelled_sentences("test"))
    answers = ask_in_a_batch(client, model, sentences)
    right = sum(answer.strip().lower() == label for answer, label in zip(answers, labels))
    print(f"{model}: {right} of {len(labels)} right ({100 * right / len(labels):.0f} %)")
    return right / len(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="temper/mini-instruct", help="the base model (temper/mini-instruct)")
    given = parser.parse_args()
    client = openai.OpenAI()
    tuned = fine_tune(client, given.model, upload_training_file(client))
    accuracy(client, given.model)
    accuracy(client, tuned)


if __name__ == "__main__":
    main()
