"""Compile the contract: `python -m tools.protos` writes gen/, `--check` lints it and says whether gen/ is what proto/ makes."""

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parents[1]
GEN = ROOT / "gen"
RELEASED = GEN / "released.binpb"
DESCRIPTORS = Path("polycopy", "descriptors.binpb")
BORROWED = ("google/api/annotations.proto", "google/api/http.proto")
GENERATED = ("*.py", "*.pyi", "*.binpb")


def buf(*args: str) -> None:
    """Run buf in the project's root; ends the process when buf does not succeed."""
    command = [str(Path(sys.prefix, "bin", "buf")), *args]
    # Plugins are found beside this interpreter, wherever the environment stands.
    env = os.environ | {"PATH": f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ.get('PATH', '')}"}
    if code := subprocess.run(command, cwd=ROOT, env=env, check=False).returncode:
        raise SystemExit(code)


def borrow() -> None:
    """Copy Google's two annotation protos out of the installed wheel: buf's module paths must lie inside the workspace."""
    for name in BORROWED:
        target = ROOT / "third_party" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(files("google.api") / Path(name).name), target)


def compile_to(folder: Path) -> None:
    """Write messages, stubs, their types and the descriptor set with its comments below `folder`."""
    buf("generate", "--output", str(folder.parent) if folder.name == "gen" else str(folder))
    made = folder if folder.name == "gen" else folder / "gen"
    buf("build", "--path", "proto/polycopy", "--as-file-descriptor-set", "--output", str(made / DESCRIPTORS))
    for package in (
        made / "polycopy",
        *(path for path in (made / "polycopy").rglob("*") if path.is_dir() and path.name != "__pycache__"),
    ):
        (package / "__init__.py").touch()


def drift() -> list[str]:
    """What of gen/ is not what proto/ makes now."""
    with tempfile.TemporaryDirectory() as folder:
        compile_to(Path(folder))
        fresh, kept = _listing(Path(folder, "gen")), _listing(GEN)
        return sorted(
            name
            for name in fresh.keys() | kept.keys()
            if name not in fresh or name not in kept or not filecmp.cmp(fresh[name], kept[name], shallow=False)
        )


def _listing(folder: Path) -> dict[str, Path]:
    found = (path for pattern in GENERATED for path in folder.rglob(pattern))
    return {path.relative_to(folder).as_posix(): path for path in found if path.name != RELEASED.name}


def check() -> None:
    """Lint, format, compatibility with the last release, drift."""
    borrow()
    buf("lint", "--path", "proto/polycopy")
    buf("format", "--diff", "--exit-code", "--path", "proto/polycopy")
    if RELEASED.exists():
        buf("breaking", "proto", "--against", str(RELEASED.relative_to(ROOT)))
    if changed := drift():
        raise SystemExit(
            "gen/ is not what proto/ makes; run `make protos`:\n" + "\n".join(f"  {name}" for name in changed)
        )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tools.protos", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when something is off")
    parser.add_argument(
        "--release", action="store_true", help="keep the current contract as what later ones must not break"
    )
    args = parser.parse_args()
    if args.check:
        return check()
    borrow()
    if args.release:
        return buf("build", "proto", "--output", str(RELEASED))
    shutil.rmtree(GEN / "polycopy", ignore_errors=True)
    compile_to(GEN)
    return None


if __name__ == "__main__":
    main()
