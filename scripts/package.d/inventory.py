"""What is linked into the program: its licences (LICENCES) and its bill of materials (sbom.cdx.json, CycloneDX 1.6).

    inventory.py CHECKOUT DIRECTORY     writes both into DIRECTORY

cargo knows the crates. What crates compile in C, and what the compilers add, stands in BROUGHT; a crate that links C
and is not in there is an error.
"""

import json
import re
import subprocess
import sys
import sysconfig
from collections import defaultdict
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

TARGET = "x86_64-unknown-linux-gnu"
TEXTS = ("LICEN", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
# Crate that brings it: name, licence, the text's place in the crate, and what finds the version in which file there.
BROUGHT = {
    "rdkafka-sys": ("librdkafka", "BSD-2-Clause", "librdkafka/LICENSES.txt", "Cargo.toml", r'^version = ".*\+(.*)"'),
    "openssl-src": ("openssl", "Apache-2.0", "openssl/LICENSE.txt", "Cargo.toml", r'^version = ".*\+(.*)"'),
    "zstd-sys": ("zstd", "BSD-3-Clause", "zstd/LICENSE", "Cargo.toml", r'^version = ".*\+zstd\.(.*)"'),
    "libz-sys": ("zlib", "Zlib", "src/zlib/LICENSE", "src/zlib/zlib.h", r'ZLIB_VERSION "(.*)"'),
}
# These link C too: their own licence covers it, or they hand on what another crate compiles.
COVERED = {"ring", "openssl-sys"}


def linked(metadata):
    """The crates whose code is in the program: over normal dependencies, without what runs in the compiler only."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    seen, ahead = {}, [metadata["resolve"]["root"]]
    while ahead:
        package = packages[ahead.pop()]
        if package["id"] in seen or any("proc-macro" in target["kind"] for target in package["targets"]):
            continue
        seen[package["id"]] = package
        dependencies = nodes[package["id"]]["deps"]
        ahead += [it["pkg"] for it in dependencies if any(kind["kind"] is None for kind in it["dep_kinds"])]
    # A build dependency, whose content is nevertheless linked.
    seen.update({id: package for id, package in packages.items() if package["name"] == "openssl-src"})
    return sorted(seen.values(), key=lambda package: (package["name"], package["version"]))


def read(file):
    return file.read_text(encoding="utf-8", errors="replace").strip()


def texts(package, standard):
    """A crate's licence texts; where it has none, the standard text of what it names."""
    folder = Path(package["manifest_path"]).parent
    found = [file for file in sorted(folder.iterdir()) if file.is_file() and file.name.upper().startswith(TEXTS)]
    if not found:
        found = [standard / f"{name}.txt" for name in package["license"].replace("/", " OR ").split(" OR ")]
    return [read(file) for file in found]


def brought(crate, name, licence, text, file, pattern):
    """A C library within a crate."""
    [version] = re.findall(pattern, read(crate / file), re.MULTILINE)
    return name, version, licence, [read(crate / text)], PackageURL("generic", None, name, version)


def components(packages, standard):
    """Name, version, licence, texts and package URL of everything linked."""
    for package in packages:
        name, version, licence = package["name"], package["version"], package["license"].replace("/", " OR ")
        yield name, version, licence, texts(package, standard), PackageURL("cargo", None, name, version)
        if name in BROUGHT:
            yield brought(Path(package["manifest_path"]).parent, *BROUGHT[name])
        elif package["links"] and name not in COVERED:
            sys.exit(f"{name} links {package['links']}: say in BROUGHT of {__file__} what it brings, or in COVERED")


def compilers(sysroot):
    """What rustc and zig add to every program."""
    rustc = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    text = read(sysroot / "share/doc/rust/COPYRIGHT-library.html")
    yield "rust-std", rustc, "MIT OR Apache-2.0", [text], PackageURL("generic", None, "rust-std", rustc)
    zig = Path(sysconfig.get_path("purelib")) / "ziglang"
    version = subprocess.run([zig / "zig", "version"], check=True, capture_output=True, text=True).stdout.strip()
    yield "zig-compiler-rt", version, "MIT", [read(zig / "LICENSE")], PackageURL("generic", None, "zig", version)
    text = read(zig / "lib/libunwind/LICENSE.TXT")
    yield "libunwind", version, "Apache-2.0 WITH LLVM-exception", [text], PackageURL("generic", None, "libunwind", version)


def write_licences(parts, file):
    """Each text once, under the names of all that it is for."""
    users = defaultdict(list)
    for name, version, licence, its_texts, _ in parts:
        for text in its_texts:
            users[text].append(f"{name} {version} ({licence})")
    with file.open("w", encoding="utf-8") as out:
        out.write("Spindle is licensed under Apache-2.0. Linked into bin/spindle are the following, by their own licences.\n")
        for text, names in sorted(users.items(), key=lambda each: each[1]):
            out.write("\n" + "=" * 100 + "\n" + "\n".join(names) + "\n" + "-" * 100 + "\n" + text + "\n")


def write_sbom(parts, version, file):
    factory = LicenseFactory()
    root = Component(name="spindle", version=version, type=ComponentType.APPLICATION, bom_ref="spindle")
    root.licenses.add(factory.make_from_string("Apache-2.0"))
    bom = Bom()
    bom.metadata.component = root
    for name, version, licence, _, purl in parts:
        component = Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=purl.to_string())
        component.licenses.add(factory.make_from_string(licence))
        bom.components.add(component)
    bom.register_dependency(root, bom.components)
    document = json.loads(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    # A number and a date that differ each time would make each package another one.
    document.pop("serialNumber", None)
    document["metadata"].pop("timestamp", None)
    file.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main():
    checkout, folder = Path(sys.argv[1]), Path(sys.argv[2])
    cargo = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={TARGET}"]
    metadata = json.loads(subprocess.run(cargo, cwd=checkout, check=True, capture_output=True).stdout)
    sysroot = Path(subprocess.run(["rustc", "--print=sysroot"], check=True, capture_output=True, text=True).stdout.strip())
    packages = linked(metadata)
    [own] = [package for package in packages if package["source"] is None]
    others = [package for package in packages if package["source"] is not None]
    parts = [*components(others, sysroot / "share/doc/rust/licenses"), *compilers(sysroot)]
    write_licences(parts, folder / "LICENCES")
    write_sbom(parts, own["version"], folder / "sbom.cdx.json")


main()
