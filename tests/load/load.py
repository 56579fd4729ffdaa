#!/usr/bin/env python3
"""How fast the server answers while it has much to do: open streams, idle connections, a job that trains.

    python3 tests/load/load.py --streams 200 --idle 2000 --train --seconds 30

starts a server of its own (of $TEMPER, or build/temper), opens the idle connections (each has asked once, and is kept),
keeps that many streamed chats open, starts a fine-tuning job that lasts, and asks for GET /v1/models again and again over
a few kept connections. It prints one line of JSON: the latencies in milliseconds (p50, p99, most), how many streams and
connections the server itself says are open, and what went wrong. Standard library only. The clients run on the same
machine, which is the server's loss. Those that measure stand for clients elsewhere, who wait for no core of the server's:
they run at a higher priority where that is allowed (as root).
"""
import argparse
import asyncio
import json
import multiprocessing
import os
import pathlib
import re
import resource
import socket
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support.server import Server  # noqa: E402

MODEL = "temper/mini-instruct"
ASKERS = 4


def head_of(method, path, key, host, body=b""):
    return (f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


# ---- those who wait: idle connections, and streams ----

async def keep_idle(address, asked, counts):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(asked)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))
    counts["idle"] += 1
    if await reader.read(1) == b"":
        counts["idle"] -= 1
        counts["idle_closed"] += 1
    return writer


async def keep_streaming(address, asked, counts):
    while True:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(asked)
        if b" 200 " not in await reader.readline():
            counts["refused"] += 1
            print((await reader.read(600)).decode(errors="replace"), file=sys.stderr)
        else:
            counts["streaming"] += 1
            while block := await reader.read(1 << 16):
                counts["chunks"] += block.count(b"data: ")
                if b"[DONE]" in block:
                    break
            counts["streaming"] -= 1
            counts["streams"] += 1
        writer.close()


async def wait_on(address, host, key, given, counts, ready, end):
    # The built-in model likes to answer in a word: it is kept from ending a turn (token 5).
    chat = json.dumps({"model": MODEL, "stream": True, "max_tokens": 400, "temperature": 1.5, "logit_bias": {"5": -100},
                       "messages": [{"role": "user", "content": "Tell me everything that you know, at length."}]})
    gate = asyncio.Semaphore(50)

    async def gated_idle():
        async with gate:
            task = asyncio.ensure_future(keep_idle(address, head_of("GET", "/healthz", key, host), counts))
            await asyncio.sleep(0.01)
        await task

    tasks = [asyncio.ensure_future(gated_idle()) for _ in range(given.idle)]
    while counts["idle"] < given.idle:
        for task in tasks:
            if task.done() and task.exception():
                raise task.exception()
        await asyncio.sleep(0.05)
    asked = head_of("POST", "/v1/chat/completions", key, host, chat.encode())
    tasks += [asyncio.ensure_future(keep_streaming(address, asked, counts)) for _ in range(given.streams)]
    await asyncio.sleep(2)
    ready.set()
    while not end.is_set():
        await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run_waiters(address, host, key, given, ready, end, results):
    counts = dict.fromkeys(("idle", "idle_closed", "streaming", "streams", "chunks", "refused"), 0)
    try:
        asyncio.run(wait_on(address, host, key, given, counts, ready, end))
    except Exception as error:
        counts["error"] = repr(error)
        ready.set()
    results.put(counts)


# ---- those who ask ----

def read_answer(connection):
    got = b""
    while b"\r\n\r\n" not in got:
        got += receive(connection)
    head, body = got.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(body) < length:
        body += receive(connection)
    return int(head.split()[1]), body


def receive(connection):
    got = connection.recv(1 << 16)
    if not got:
        raise ConnectionError("the server closed the connection")
    return got


def run_asker(address, asked, pause, seconds, results):
    times, wrong = [], 0
    try:
        os.nice(-10)
    except PermissionError:
        pass  # the time that it waits for a core is counted, too
    connection = socket.create_connection(address)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        start = time.perf_counter()
        connection.sendall(asked)
        status, _ = read_answer(connection)
        times.append((time.perf_counter() - start) * 1000)
        wrong += status != 200
        time.sleep(pause)
    results.put((times, wrong))


def ask_all(address, asked, given):
    results = multiprocessing.Queue()
    askers = [multiprocessing.Process(target=run_asker, args=(address, asked, given.pause, given.seconds, results))
              for _ in range(ASKERS)]
    for asker in askers:
        asker.start()
    answers = [results.get(timeout=given.seconds + 60) for _ in askers]
    for asker in askers:
        asker.join()
    return sorted(time for times, _ in answers for time in times), sum(wrong for _, wrong in answers)


# ---- the whole ----

def start_training(server):
    rows = "".join(json.dumps({"messages": [{"role": "user", "content": f"Say the number {i} in words, please."},
                                            {"role": "assistant", "content": f"The number is {i}, and no other."}]}) + "\n"
                   for i in range(200)).encode()
    form = (b'--X\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--X\r\nContent-Disposition: '
            b'form-data; name="file"; filename="a.jsonl"\r\n\r\n' + rows + b"\r\n--X--\r\n")
    where = urllib.parse.urlsplit(server.url)
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall((f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n"
                            f"Content-Type: multipart/form-data; boundary=X\r\nContent-Length: {len(form)}\r\n\r\n"
                            ).encode() + form)
        file = json.loads(read_answer(connection)[1])["id"]
    job = server.request("/fine_tuning/jobs", {"training_file": file, "model": MODEL, "hyperparameters": {
        "n_epochs": 50, "batch_size": 8}})
    while server.request(f"/fine_tuning/jobs/{job['id']}")["status"] != "running":
        time.sleep(0.1)
    return job["id"]


def read_metrics(address):
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        _, page = read_answer(connection)
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in page.decode().splitlines() if not line.startswith("#")}


def measure(server, given):
    where = urllib.parse.urlsplit(server.url)
    address = (where.hostname, where.port)
    ready, end, results = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Queue()
    waiters = multiprocessing.Process(target=run_waiters,
                                      args=(address, where.netloc, server.key, given, ready, end, results))
    waiters.start()
    ready.wait(120)
    job = start_training(server) if given.train else None
    time.sleep(1)
    times, wrong = ask_all(address, head_of("GET", given.path, server.key, where.netloc), given)
    counted = read_metrics(address)
    status = server.request(f"/fine_tuning/jobs/{job}")["status"] if job else None
    end.set()
    counts = results.get(timeout=60)
    waiters.join()
    if job:
        server.request(f"/fine_tuning/jobs/{job}/cancel", method="POST")
    return {"requests": len(times), "wrong": wrong, "p50": round(times[len(times) // 2], 2),
            "p99": round(times[int(len(times) * 0.99)], 2), "most": round(times[-1], 2), "job": status,
            "connections_open": counted["temper_http_connections_open"],
            "requests_open": counted["temper_http_requests_open"],
            "resident_mb": round(counted["process_resident_memory_bytes"] / 1e6), **counts}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--train", action="store_true", help="start a fine-tuning job first")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pause", type=float, default=0.02, help="between two requests of an asker")
    parser.add_argument("--path", default="/v1/models")
    parser.add_argument("--threads", type=int, default=0, help="of the server; 0 for all cores")
    given = parser.parse_args()
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, max(least, 2 * (given.idle + given.streams) + 200)), most))
    with Server(threads=given.threads) as server:
        print(json.dumps(measure(server, given)))


if __name__ == "__main__":
    main()
