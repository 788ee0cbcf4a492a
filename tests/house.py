"""The code as a map, in figures: `python -m tests.house [--list]`.

How many files lie in one folder, how long functions and files are, which files import each other in circles, what is
public without a docstring, and how many lines there are. Generators of text (text/passages) count as files and lines,
not as long ones. `--list` names what is behind each figure.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LONG_FUNCTION, LONG_FILE = 60, 400  # lines


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def files() -> list[Path]:
    """All Python files of the product: not its tests, not the scripts that make its assets."""
    return [ROOT / "app.py", *sorted((ROOT / "itda_core").rglob("*.py")), *sorted((ROOT / "pages").rglob("*.py"))]


def folders() -> Counter[Path]:
    """How many files lie directly in each folder, an empty __init__.py or one of a docstring alone not counted."""
    return Counter(path.parent for path in files() if path.name != "__init__.py" or len(tree(path).body) > 1)


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of a file, methods and inner ones too, by its dotted name."""

    def inside(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{prefix}{child.name}", child
                yield from inside(child, f"{prefix}{child.name}.")
            else:
                yield from inside(child, f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else prefix)

    yield from inside(tree(path), "")


def is_grammar(path: Path) -> bool:
    return "passages" in path.parts


def long_functions() -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {name}, {length} lines"
        for path in files()
        if not is_grammar(path)
        for name, node in functions(path)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONG_FUNCTION
    ]


def long_files() -> list[str]:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files() if not is_grammar(path)}
    return [f"{path.relative_to(ROOT)}, {n} lines" for path, n in sizes.items() if n > LONG_FILE]


def undocumented() -> list[str]:
    """Public functions and methods at the top of a module or a class that no docstring tells about.

    Properties are left out, and methods that a base class in the same file declares and tells about.
    """
    found = []
    for path in files():
        told = {
            node.name: {method.name for method in node.body if isinstance(method, ast.FunctionDef)}
            for node in tree(path).body
            if isinstance(node, ast.ClassDef)
        }
        for parent in [tree(path), *(node for node in tree(path).body if isinstance(node, ast.ClassDef))]:
            owner = f"{parent.name}." if isinstance(parent, ast.ClassDef) else ""
            bases = [ast.unparse(base) for base in parent.bases] if isinstance(parent, ast.ClassDef) else []
            declared = set().union(*(told.get(base, set()) for base in bases))
            if owner.startswith("_"):
                continue
            for node in parent.body:
                if (
                    isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                    and not node.name.startswith("_")
                    and not ast.get_docstring(node)
                    and node.name not in declared
                    and not any(ast.unparse(mark).endswith("property") for mark in node.decorator_list)
                ):
                    found.append(f"{path.relative_to(ROOT)}: {owner}{node.name}")
    return found


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, package: tuple[str, ...]) -> Iterator[str]:
    """Absolute names of what a file imports when it runs, wherever in the file; what only annotations name is not."""
    annotations_only = {
        id(inner)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree(path)):
        if id(node) in annotations_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (start, node.module)))
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def imports(path: Path, known: set[str]) -> set[str]:
    """Which of the modules `known` a file imports as it runs, by themselves or for a name that they hold."""
    package = path.relative_to(ROOT).parts[:-1]
    names = set(imported(path, package))
    return {name if name in known else name.rpartition(".")[0] for name in names} & known - {module_of(path)}


def circles() -> list[list[str]]:
    """Groups of files that reach each other by imports (strongly connected components of more than one file)."""
    paths = {module_of(path): path for path in files()}
    graph = {module: imports(path, set(paths)) for module, path in paths.items()}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:  # Tarjan 1972
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            group = []
            while not group or group[-1] != module:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for module in graph:
        if module not in index:
            visit(module)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="The code as a map, in figures.")
    parser.add_argument("--list", action="store_true", help="name what is behind each figure")
    given = parser.parse_args()
    most, n_most = folders().most_common(1)[0]
    n_lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files())
    figures: list[tuple[str, int, list[str]]] = [
        ("most files directly in one folder", n_most, [str(most.relative_to(ROOT))]),
        (f"functions over {LONG_FUNCTION} lines", len(long_functions()), long_functions()),
        (f"files over {LONG_FILE} lines, text grammar aside", len(long_files()), long_files()),
        ("circles of files", len(circles()), [" <-> ".join(group) for group in circles()]),
        ("public functions without a docstring", len(undocumented()), undocumented()),
        ("lines of code outside tests", n_lines, []),
    ]
    for name, value, behind in figures:
        print(f"| {name} | {value:,} |")
        for line in behind if given.list else []:
            print(f"    {line}")


if __name__ == "__main__":
    main()
