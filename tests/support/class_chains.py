"""What classes of our own inherit from one another, as their text tells."""

import ast
import re

#: families in which inheriting says nothing: records, enums, errors
_FAMILIES = re.compile(
    r"(msgspec\.)?Struct|(Named|)Tuple|(Int|Str|)(Enum|Flag)|\w*(Error|Exception)"
)
#: who inherits from one of these directly says what others must have, and has little itself
_ABSTRACT = {"ABC", "Protocol", "abc.ABC", "typing.Protocol", "typing.Generic"}


class Classes:
    """The classes of some modules, given as their dotted names and texts."""

    def __init__(self, modules: dict[str, str]) -> None:
        #: class -> what it inherits from, by dotted names where they are known
        self.bases: dict[str, list[str]] = {}
        #: classes of which an object is made somewhere
        self.made: set[str] = set()
        for module, text in modules.items():
            self._read(module, ast.parse(text))

    def _read(self, module: str, tree: ast.Module) -> None:
        found = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        names = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module not in ("abc", "enum", "typing")
            for alias in node.names
        }
        names |= {node.name: f"{module}.{node.name}" for node in found}
        for node in found:
            bases = [ast.unparse(base).partition("[")[0] for base in node.bases]
            self.bases[names[node.name]] = [names.get(base, base) for base in bases]
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self.made |= {names[f.id] for f in calls if isinstance(f, ast.Name) and f.id in names}

    def _ours(self, name: str) -> list[str]:
        """Return the bases of a class that are written here and do something."""
        return [
            base
            for base in self.bases[name]
            if base in self.bases and not _ABSTRACT.intersection(self.bases[base])
        ]

    def _in_family(self, name: str) -> bool:
        if name not in self.bases:
            return bool(_FAMILIES.fullmatch(name))
        return any(map(self._in_family, self.bases[name]))

    def _depth(self, name: str) -> int:
        return 1 + max(map(self._depth, self._ours(name)), default=0)

    def chains(self, longest: int) -> set[str]:
        """Return the classes at the end of a chain of more than so many classes."""
        heirs = {base for name in self.bases for base in self._ours(name)}
        return {
            name
            for name in self.bases
            if name not in heirs and not self._in_family(name) and self._depth(name) > longest
        }

    def slices(self) -> set[str]:
        """Return the classes that are a piece of another.

        One class alone inherits from such a class, in another file, and nobody makes an object of
        it: what it holds belongs to the heir.
        """
        heirs: dict[str, list[str]] = {}
        for name in self.bases:
            for base in self._ours(name):
                heirs.setdefault(base, []).append(name)
        return {
            base
            for base, found in heirs.items()
            if len(found) == 1
            and base not in self.made
            and not self._in_family(base)
            and base.rpartition(".")[0] != found[0].rpartition(".")[0]
        }
