#!/usr/bin/env python3
"""Runs the suites of tests, each in its own way, and counts what they say.

The last line is "N passed, N failed". Suites: style (tools/check_style), c (unit tests and fuzz targets over their
corpora), clients (the official OpenAI clients, and the command line, against the real binary), crash (kill -9 and
restarts), browser (the pages, in Chromium), parity (against PyTorch, transformers, peft and llama.cpp; only when asked for).
"""
import argparse
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
TORCH = "2.13.0"
LLAMA_CPP = "3.22.1"  # of node-llama-cpp, which brings llama.cpp as a library
PLAYWRIGHT = "1.65.2"  # for Python; it drives the system's Chromium
AXE_CORE = "4.14.1"
PARITY_PACKAGES = ["transformers==5.23.0", "peft==0.21.2", "safetensors==0.8.0"]
CASE = re.compile(r"^(?:\d+: )?\[\s+(OK|FAILED|SKIPPED)\s+\] (\w+)$", re.M)


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed, failed, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def say(text):
    print(f"\n== {text}", flush=True)


def run(command, **options):
    """Runs a command, showing its output as it comes. Returns (status, output)."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", **options)
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    return process.wait(), "".join(lines)


def suite_style(_, count):
    say("style")
    status, _ = run([sys.executable, str(ROOT / "tools" / "check_style")])
    count.add(not status, bool(status))


def suite_c(build, count):
    say("C: unit tests, and fuzz targets over their corpora")
    programs = subprocess.run(["ctest", "-N"], cwd=build, capture_output=True, text=True).stdout
    names = re.findall(r"Test\s+#\d+: (\w+)", programs)
    if not names:
        print("no tests were built: is libcmocka-dev installed?")
        count.add(0, 1)
    for name in names:
        arguments = [f"tests/fuzz/corpus/{name[5:]}"] if name.startswith("fuzz_") else []
        process = subprocess.run([str(build / name), *arguments], cwd=ROOT, text=True, errors="replace",
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        cases = list({name: kind for kind, name in CASE.findall(process.stdout)}.values())  # failures stand twice
        failed = cases.count("FAILED")
        if process.returncode and not failed:
            failed = 1  # it crashed, or a sanitizer spoke
        count.add(cases.count("OK") or (not cases and not failed), failed, cases.count("SKIPPED"))
        print(f"{name}: {len(cases) or 1} cases{', FAILED' if failed else ''}", flush=True)
        if failed:
            print(process.stdout)
        for line in process.stdout.splitlines():
            if line.startswith("skipped:"):
                print(f"  {line}")


def install(python, *packages, **options):
    return subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages],
                          **options).returncode


def install_torch(python):
    """The build without CUDA, where pip finds one: PyPI has it for some machines only."""
    if install(python, f"torch=={TORCH}+cpu", stderr=subprocess.DEVNULL) == 0:
        return
    print("pip finds no CPU build of PyTorch: taking the usual one, which may be large. To avoid that, name PyTorch's\n"
          "own index of CPU builds in PIP_EXTRA_INDEX_URL, or an environment that has it in PARITY_PYTHON.", flush=True)
    install(python, f"torch=={TORCH}", check=True)


def environment(directory, packages, before=None):
    """A virtual environment with these packages, made once. Returns its python."""
    python = directory / "bin" / "python"
    stamp = directory / "packages"
    if not stamp.exists() or stamp.read_text() != "\n".join(packages):
        print(f"installing {', '.join(packages)} into {directory}", flush=True)
        shutil.rmtree(directory, ignore_errors=True)
        venv.create(directory, with_pip=True)
        if before:
            before(python)
        install(python, *packages, check=True)
        size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
        print(f"it takes {size / 1e6:.0f} MB", flush=True)
        stamp.write_text("\n".join(packages))
    return python


def suite_python(python, folder, build, count, **more):
    status, output = run([str(python), "-m", "unittest", "discover", "-v", "-s", str(ROOT / folder), "-t",
                          str(ROOT / "tests")], cwd=ROOT,
                         env={**os.environ, "TEMPER": str(build / "temper"), "PYTHONDONTWRITEBYTECODE": "1", **more})
    ran = re.search(r"^Ran (\d+) tests?", output, re.M)
    bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", output))
    skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", output))
    total = int(ran.group(1)) if ran else 0
    if status and not bad:
        bad = 1
    count.add(max(0, total - bad - skipped), bad, skipped)


def node_client(build):
    """A directory with openai-node, made once, and the tests that stand beside its package.json."""
    folder = ROOT / "tests" / "clients" / "node"
    copy = build / "node-client"
    copy.mkdir(exist_ok=True)
    for path in folder.iterdir():
        shutil.copy(path, copy / path.name)
    if not (copy / "node_modules" / "openai").exists():
        print("installing openai for node", flush=True)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=copy, check=True)
    return copy


def suite_node(folder, build, count):
    status, output = run([sys.executable, "-m", "support.with_server", "node", "--test", "--test-reporter=tap",
                          *map(str, sorted(folder.glob("*.mjs")))], cwd=ROOT / "tests",
                         env={**os.environ, "TEMPER": str(build / "temper")})
    passed = re.search(r"^# pass (\d+)", output, re.M)
    failed = re.search(r"^# fail (\d+)", output, re.M)
    bad = int(failed.group(1)) if failed else 1
    count.add(int(passed.group(1)) if passed else 0, bad or (1 if status else 0))


def suite_clients(build, count):
    say("clients: openai-python, and the documentation's examples")
    node = node_client(build)
    python = environment(build / "venv-clients", ["openai==3.54.0", "jsonschema==4.26.0", "schemathesis==4.32.5"])
    suite_python(python, "tests/clients", build, count)
    say("clients: openai-node")
    suite_node(node, build, count)


def axe_core(build):
    """The rules of accessibility that pages are held against, by npm, made once. Returns the script."""
    folder = build / "axe-core"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        subprocess.run(["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund",
                        f"axe-core@{AXE_CORE}"], cwd=folder, check=True)
    return script


def suite_browser(build, count):
    say("browser: the pages, in Chromium")
    python = environment(build / "venv-browser", [f"playwright=={PLAYWRIGHT}"])
    suite_python(python, "tests/browser", build, count, AXE=str(axe_core(build)))


def suite_crash(build, count):
    say("crash: kill -9, restarts, threads")
    suite_python(sys.executable, "tests/crash", build, count)


def llama_cpp(build):
    """A directory with node-llama-cpp and its library for this machine's processor, made once."""
    folder = build / "node-llama-cpp"
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    if not machine or not shutil.which("npm"):
        print("skipped: llama.cpp comes by npm, for x86_64 and aarch64")
        return {}
    if not (folder / "node_modules" / "node-llama-cpp").exists():
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        print("installing node-llama-cpp: it takes 85 MB", flush=True)
        subprocess.run(["npm", "install", "--silent", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund",
                        f"node-llama-cpp@{LLAMA_CPP}", f"@node-llama-cpp/linux-{machine}@{LLAMA_CPP}"], cwd=folder,
                       check=True)
    return {"LLAMA_CPP_MODULES": str(folder)}


def parity_python(build):
    """The python that has PyTorch, transformers and peft: the one given, or an environment of their own."""
    return os.environ.get("PARITY_PYTHON") or environment(build / "venv-parity", PARITY_PACKAGES, install_torch)


def suite_parity(build, count):
    say("parity: live, against PyTorch, transformers, peft and llama.cpp")
    suite_python(parity_python(build), "tests/parity", build, count, **llama_cpp(build))


SUITES = {"style": suite_style, "c": suite_c, "clients": suite_clients, "browser": suite_browser, "crash": suite_crash, "parity": suite_parity}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", type=pathlib.Path)
    parser.add_argument("--only", choices=SUITES, action="append")
    given = parser.parse_args()
    count = Count()
    for name in given.only or ["style", "c", "clients", "browser", "crash"]:
        SUITES[name](given.build.resolve(), count)
    if count.skipped:
        print(f"\n{count.skipped} skipped (the reasons stand above)")
    print(f"\n{count.passed} passed, {count.failed} failed")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
