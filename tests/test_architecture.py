"""The plan of the house as ``ARCHITECTURE.md`` draws it, held against the imports that really stand."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nlp.library import Library

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "nlp"

# A room imports only from rooms that stand before it here. A new room gets its place here and in ARCHITECTURE.md. The files
# of a folder that is named here and not taken apart (``readers.pdf``) are one room.
ROOMS = (
    "errors",
    "records",
    "taxonomy",
    "text",
    "words",
    "figures",
    "regions",
    "readers.package",
    "readers.sniff",
    "readers.archive",
    "readers.grid",
    "readers.numbering",
    "readers.docx",
    "readers.hypertext",
    "readers.plain",
    "readers.sheet",
    "readers.pdf",
    "readers",
    "outline",
    "identity",
    "ledger",
    "passages",
    "reading",
    "pipeline",
    "terms",
    "scope",
    "tagger",
    "learning",
    "corpus",
    "review",
    "linker",
    "adapter",
    "runtime",
    "encoder",
    "analyst",
    "evaluation",
    "training",
    "store",
    "index",
    "search",
    "prevalence",
    "frequency",
    "copies",
    "recurrence",
    "checks",
    "drafting",
    "library",
    "views",
    "exports",
    "charts",
    "briefing",
    "console",
    "cli",
)

# Who alone may import a heavy library.
OWNERS: dict[str, frozenset[str]] = {
    library: frozenset(rooms.split())
    for library, rooms in {
        "datasketch": "copies",
        "docx": "briefing exports",
        "faiss": "index",
        "filelock": "library encoder runtime",
        "huggingface_hub": "encoder",
        "jieba": "words",
        "lxml": "readers.docx readers.hypertext readers.numbering",
        "matplotlib": "charts",
        "multiprocessing": "pipeline",
        "openpyxl": "readers.sheet exports",
        "pandas": "frequency",
        "pdfplumber": "readers.pdf",
        "platformdirs": "encoder taxonomy",
        "pypdfium2": "readers.pdf",
        "rich": "console",
        "safetensors": "adapter encoder tagger",
        "scipy": "terms tagger learning linker recurrence",
        "openvino": "runtime",
        "sentence_transformers": "runtime",
        "sklearn": "adapter corpus evaluation learning terms",
        "sqlite3": "store",
        "tokenizers": "runtime",
        "torch": "adapter encoder runtime",
        "transformers": "adapter",
        "typer": "cli console",
    }.items()
}

# Modules that load what can run code, or that talk to the network.
CODE_LOADERS = frozenset({"pickle", "joblib", "marshal", "shelve", "dill", "cloudpickle"})
NETWORK = frozenset({"socket", "http", "urllib.request", "requests", "httpx", "aiohttp", "urllib3", "ftplib"})
FORBIDDEN_CALLS = frozenset({"eval", "exec", "compile", "__import__", "input", "breakpoint", "os.system", "os.popen"})
FORBIDDEN_METHODS = frozenset({"read_pickle", "to_pickle"})
# What a module may not do while it is imported.
DEEDS = frozenset(
    {"open", "print", "run", "Popen", "read_text", "read_bytes", "write_text", "mkdir", "connect", "load"}
)


def sources() -> dict[str, str]:
    """Source by room; the package's own file is the room ``""``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path.read_text("utf-8")
    return found


SOURCES = sources()


def imports(source: str) -> Iterator[str]:
    """Yield the dotted names of all that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_used(source: str) -> set[str]:
    """The files of the package that a module imports from."""
    names = {name.removeprefix("nlp.") for name in imports(source) if name.startswith("nlp.")}
    return names & SOURCES.keys()


def room_of(file: str) -> str:
    """The room that a file is in: its own name or that of the nearest folder that is a room."""
    return file if file in ROOMS or "." not in file else room_of(file.rpartition(".")[0])


def climbing(file: str, source: str) -> set[str]:
    """The rooms that a file imports from although they do not stand before its own."""
    room = room_of(file)
    return {room_of(used) for used in files_used(source)} - set(ROOMS[: ROOMS.index(room)]) - {room}


def trespasses(file: str, source: str) -> set[str]:
    """The heavy libraries that a file imports without being in the room that owns them."""
    return {
        library
        for library, owners in OWNERS.items()
        if room_of(file) not in owners and any(f"{name}.".startswith(f"{library}.") for name in imports(source))
    }


def dangers(source: str) -> set[str]:
    """What a module imports or calls that could run foreign code or reach the network."""
    found = {
        name for name in imports(source) if any(f"{name}.".startswith(f"{bad}.") for bad in CODE_LOADERS | NETWORK)
    }
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        settings = {item.arg: ast.unparse(item.value) for item in node.keywords}
        if called in FORBIDDEN_CALLS or called.rpartition(".")[2] in FORBIDDEN_METHODS:
            found.add(called)
        if called == "torch.load" and settings.get("weights_only") != "True":
            found.add(called)
        found |= {
            f"{key}={settings[key]}"
            for key in ("shell", "allow_pickle", "trust_remote_code")
            if settings.get(key) == "True"
        }
    return found


def deeds_at_import(source: str) -> set[str]:
    """What a module calls while it is imported that touches files, processes or the screen."""
    waiting: list[ast.AST] = [ast.parse(source)]
    found = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in DEEDS:
            found.add(ast.unparse(node.func))
        later = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        waiting += [] if later else list(ast.iter_child_nodes(node))
    return found


# ------------------------------------------------------------------------------------------------------------ the order


def test_every_room_has_its_place_and_every_place_its_room() -> None:
    assert {room_of(file) for file in SOURCES} - {"", "data"} == set(ROOMS)
    assert len(set(ROOMS)) == len(ROOMS)


@pytest.mark.parametrize("file", sorted(SOURCES.keys() - {"", "data"}))
def test_a_room_imports_only_from_rooms_before_it(file: str) -> None:
    assert climbing(file, SOURCES[file]) == set()


def test_no_files_import_each_other_in_a_circle() -> None:
    order = list(
        TopologicalSorter({file: files_used(source) - {file, ""} for file, source in SOURCES.items()}).static_order()
    )
    assert order.index("errors") < order.index("library") < order.index("cli")


def test_the_package_itself_names_the_facade_only() -> None:
    assert files_used(SOURCES[""]) == {"library"}


def test_climbing_is_seen_wherever_the_import_stands() -> None:
    source = "from nlp.records import Role\ndef f():\n    from nlp.cli import app\n    import nlp.store\n"
    assert climbing("search", source) == {"cli"}
    assert climbing("text", source) == {"cli", "store"}


# ----------------------------------------------------------------------------------------------------------- the owners


@pytest.mark.parametrize("room", SOURCES)
def test_heavy_libraries_are_imported_by_their_owners_only(room: str) -> None:
    assert trespasses(room, SOURCES[room]) == set()


def test_every_owner_uses_what_it_owns() -> None:
    idle = {
        (library, room)
        for library, rooms in OWNERS.items()
        for room in rooms
        if not any(
            f"{name}.".startswith(f"{library}.")
            for file, source in SOURCES.items()
            if room_of(file) == room
            for name in imports(source)
        )
    }
    assert idle == set()


def test_a_trespass_is_seen() -> None:
    assert trespasses("search", "from sklearn.metrics import f1_score\nimport faiss.contrib") == {"sklearn", "faiss"}
    assert trespasses("index", "import faiss\nimport faissy") == set()


# ------------------------------------------------------------------------------------------------------- what is loaded


def loaded_by(module: str) -> set[str]:
    """The top names that importing a module adds in a fresh interpreter."""
    code = (
        f"import sys, json; old = set(sys.modules); import {module}; print(json.dumps(sorted(set(sys.modules) - old)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_the_package_loads_no_library() -> None:
    loaded = loaded_by("nlp")
    assert "nlp" in loaded
    assert loaded & {*OWNERS, "numpy"} == set()


def test_the_command_line_loads_typer_only() -> None:
    loaded = loaded_by("nlp.cli")
    # typer brings rich along in some of its releases.
    assert loaded & {*OWNERS, "numpy"} - {"rich"} == {"typer"}


def test_the_facade_loads_neither_torch_nor_charts_nor_parsers() -> None:
    loaded = loaded_by("nlp.library")
    assert "faiss" in loaded
    parsers = {"lxml", "pdfplumber", "pypdfium2", "openpyxl"}
    slow = {"torch", "sentence_transformers", "transformers", "sklearn", "pandas", "datasketch"}
    assert loaded & {"matplotlib", "typer", *slow, *parsers} == set()


@pytest.mark.encoder
def test_a_search_from_the_shell_loads_nothing_slow(demo_library: Library) -> None:
    """What is converted is there already, or the demo library could not be."""
    code = (
        "import sys; from nlp.cli import main; sys.argv = ['jixiao', 'search', '预算执行率低', '--json', '--library', sys.argv[1]]\n"
        "try: main()\nfinally: print(sorted({'torch', 'transformers', 'sklearn', 'pandas', 'openpyxl', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, str(demo_library.path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert json.loads(done.stdout)["hits"]
    assert done.stderr.splitlines()[-1] == "[]"


# --------------------------------------------------------------------------------------------------------------- safety


@pytest.mark.parametrize("room", SOURCES)
def test_nothing_that_is_read_can_run_and_nothing_calls_out(room: str) -> None:
    assert dangers(SOURCES[room]) == set()


def test_the_hub_is_imported_where_it_is_used_only() -> None:
    top = [node for node in ast.parse(SOURCES["encoder"]).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert "huggingface_hub" in set(imports(SOURCES["encoder"]))
    assert "huggingface_hub" not in {name for node in top for name in imports(ast.unparse(node))}


def test_dangers_are_seen() -> None:
    source = "import joblib\nfrom urllib.request import urlopen\ntorch.load(f)\ntorch.load(f, weights_only=True)\n"
    assert dangers(source) == {"joblib", "urllib.request", "urllib.request.urlopen", "torch.load"}
    assert dangers("eval(x); re.compile(y); pd.read_pickle(z); np.load(z, allow_pickle=True)") == {
        "eval",
        "pd.read_pickle",
        "allow_pickle=True",
    }


@pytest.mark.parametrize("room", SOURCES)
def test_nothing_happens_at_import(room: str) -> None:
    assert deeds_at_import(SOURCES[room]) == set()


def test_a_deed_at_import_is_seen() -> None:
    assert deeds_at_import("X = Path('x').read_text()\ndef f():\n    open('y')\n") == {"Path('x').read_text"}


def test_no_room_is_named_like_a_module_of_the_standard_library() -> None:
    clashes = {room for room in SOURCES if room.rpartition(".")[2] in sys.stdlib_module_names}
    assert clashes == set()


def test_no_room_hands_out_a_function_named_like_itself() -> None:
    clashes = {
        room
        for room in ROOMS
        for node in ast.parse(SOURCES[room]).body
        if isinstance(node, ast.FunctionDef) and node.name == room.rpartition(".")[2]
    }
    assert clashes == set()


# ---------------------------------------------------------------------------------------------------------- the drawing


def test_the_page_names_every_room() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    missing = {room for room in ROOMS if f"`{room}`" not in page}
    assert missing == set()
