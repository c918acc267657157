"""Images from Dockerfiles: what is in them, that they are the same again, and what is refused."""

import asyncio
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.images import faults, manifests, platforms, rootfs
from cluster.images.dockerfile import building, patterns, stage, syntax, words
from cluster.images.dockerfile.context import Context
from cluster.images.store.layout import Store

LINUX = platforms.Platform()


class Made:
    def __init__(self, store: Store, built: building.Built) -> None:
        self.built = built
        self.digest = built.target.digest
        manifest = store.manifest(built.target)
        assert isinstance(manifest, manifests.Manifest)
        self.layers = manifest.layers
        document = store.config(manifest)
        self.document: dict[str, Any] = document
        self.config: dict[str, Any] = document["config"]
        self.files: dict[str, tarfile.TarInfo] = {}
        self.contents: dict[str, bytes] = {}
        for layer in manifest.layers:
            with store.blobs.open(layer.digest) as file, tarfile.open(fileobj=file) as archive:
                for member in archive:
                    self.files[member.name] = member
                    content = archive.extractfile(member) if member.isreg() else None
                    if content is not None:
                        self.contents[member.name] = content.read()


def build(
    tmp_path: Path, text: str, files: dict[str, str | bytes] | None = None, **options: Any
) -> Made:
    context = tmp_path / "context"
    context.mkdir(exist_ok=True)
    for name, content in (files or {}).items():
        path = context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o644)
    store = Store(tmp_path / "store")

    async def base(reference: str, name: str) -> stage.Stage:
        if reference == "missing":
            raise faults.NotFound("docker.io/library/missing:latest: not found")
        empty = stage.scratch(name, "linux", "amd64", "")
        return stage.emulated(
            empty, f"docker.io/library/{reference}",
            {"Env": ["ORIGIN=yes"], "Entrypoint": ["/start"], "Cmd": ["-d"],
             "StopSignal": "SIGQUIT", "ExposedPorts": {"80/tcp": {}}},
        )  # fmt: skip

    async def main() -> Made:
        given = building.Options(platform=LINUX, **options)
        ignored = context / ".dockerignore"
        rules = patterns.Ignore(ignored.read_text().splitlines() if ignored.exists() else ())
        parsed = syntax.parse(text, "Dockerfile")
        built = await building.build(parsed, Context(context, rules), store, base, given)
        return Made(store, built)

    return asyncio.run(main())


def test_what_instructions_say_is_in_the_configuration(tmp_path):
    made = build(
        tmp_path,
        """# a comment
FROM nginx
ARG WHO=world
ENV GREETING="hello $WHO" EMPTY= \\
    # between
    PORT=8080
LABEL a=1 "b c"='d e'
WORKDIR /srv
WORKDIR app
EXPOSE $PORT 53/udp 9000-9001
VOLUME ["/data", "/more"]
USER 10:20
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --retries=3 CMD curl -f localhost
ENTRYPOINT ["node"]
CMD app.js $HOME
""",
    )
    config = made.config
    assert "GREETING=hello world" in config["Env"]
    assert "EMPTY=" in config["Env"]
    assert config["Labels"] == {"kubemu.dev/emulated": "docker.io/library/nginx", "a": "1",
                                "b c": "d e"}  # fmt: skip
    assert config["WorkingDir"] == "/srv/app"
    assert sorted(config["ExposedPorts"]) == ["53/udp", "80/tcp", "8080/tcp", "9000/tcp",
                                              "9001/tcp"]  # fmt: skip
    assert config["Volumes"] == {"/data": {}, "/more": {}}
    assert (config["User"], config["StopSignal"]) == ("10:20", "SIGQUIT")
    assert config["Healthcheck"] == {
        "Test": ["CMD-SHELL", "curl -f localhost"], "Interval": 5_000_000_000, "Retries": 3,
    }  # fmt: skip
    assert config["Entrypoint"] == ["node"]
    assert config["Cmd"] == ["/bin/sh", "-c", "app.js $HOME"]
    layers = [one for one in made.document["history"] if not one.get("empty_layer")]
    assert len(layers) == len(made.layers) == len(made.document["rootfs"]["diff_ids"])
    assert made.files["srv/app"].isdir()


def test_the_same_files_give_the_same_digest_wherever_and_whenever(tmp_path):
    text = "FROM scratch\nCOPY . /app/\n"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    first = build(tmp_path / "a", text, {"b/x": "1", "a": "2"})
    second = build(tmp_path / "b", text, {"a": "2", "b/x": "1"}, cache=False)
    assert first.digest == second.digest
    assert build(tmp_path / "b", text, {"a": "3"}).digest != first.digest
    later = build(tmp_path / "b", text, {"a": "2"}, epoch=1_000_000)
    assert later.document["created"] == "1970-01-12T13:46:40Z"
    assert later.files["app/a"].mtime == 1_000_000


def test_a_layer_that_was_made_before_is_taken_from_the_cache(tmp_path):
    said: list[str] = []
    text = "FROM scratch\nCOPY a /\nCOPY b /\n"
    build(tmp_path, text, {"a": "1", "b": "1"})
    build(tmp_path, text, {"b": "2"}, say=said.append)
    assert said.count(" ---> Using cache") == 1


COPIES = [
    ("COPY a.txt /x", {"x": b"A"}),
    ("COPY a.txt /x/", {"x/a.txt": b"A"}),
    ("COPY a.txt b.txt /x/", {"x/a.txt": b"A", "x/b.txt": b"B"}),
    ("COPY *.txt x/", {"x/a.txt": b"A", "x/b.txt": b"B"}),
    ("COPY dir /x", {"x/c.txt": b"C", "x/deep/d.txt": b"D"}),
    ("COPY dir a.txt /x/", {"x/c.txt": b"C", "x/deep/d.txt": b"D", "x/a.txt": b"A"}),
    ("COPY ./dir/deep/ /x", {"x/d.txt": b"D"}),
    ('COPY ["a.txt", "/with space"]', {"with space": b"A"}),
    ("WORKDIR /w\nCOPY a.txt .", {"w/a.txt": b"A"}),
    ("COPY ../../a.txt /x", {"x": b"A"}),
    ("COPY <<one <<'two' /x/\n$HERE\none\n$HERE\ntwo", {"x/one": b"!\n", "x/two": b"$HERE\n"}),
    ("ADD packed.tar.gz /x", {"x/in/side": b"I"}),
    ("COPY packed.tar.gz /x/", {"x/packed.tar.gz": None}),
    ("ADD a.txt /x/", {"x/a.txt": b"A"}),
]


@pytest.mark.parametrize(("line", "wanted"), COPIES)
def test_copies(tmp_path, line, wanted):
    files = {
        "a.txt": "A", "b.txt": "B", "dir/c.txt": "C", "dir/deep/d.txt": "D",
        "packed.tar.gz": packed(),
    }  # fmt: skip
    made = build(tmp_path, f"FROM scratch\nENV HERE=!\n{line}\n", files)
    assert set(made.contents) == set(wanted)
    for name, content in wanted.items():
        assert content is None or made.contents[name] == content


def packed() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name in ("in/side", "../../outside", "/../up"):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"I"))
    return data.getvalue()


def test_owners_and_modes(tmp_path):
    made = build(
        tmp_path,
        """FROM scratch AS users
COPY passwd group /etc/
COPY --chown=alice:staff --chmod=0750 a /x/
COPY --chown=7 a /y
""",
        {"a": "A", "passwd": "alice:x:1000:1001::/:\n", "group": "staff:x:50:\n"},
    )
    assert (made.files["x/a"].uid, made.files["x/a"].gid) == (1000, 50)
    assert made.files["x/a"].mode == 0o750
    assert (made.files["y"].uid, made.files["y"].gid, made.files["y"].mode) == (7, 7, 0o644)


def test_stages_give_each_other_files_and_a_target_ends_the_build(tmp_path):
    text = """FROM scratch AS one
COPY a /deep/in/a
FROM scratch
COPY --from=one /deep /shallow
COPY --from=0 /deep/in/a /b
FROM one AS three
ENV LAST=1
"""
    made = build(tmp_path, text, {"a": "A"}, target="1")
    assert made.contents == {"shallow/in/a": b"A", "b": b"A"}
    assert build(tmp_path, text).config == {"Env": ["LAST=1"]}


def test_what_dockerignore_names_is_not_there(tmp_path):
    files = {
        ".dockerignore": "*.log\nnode_modules\n!keep.log\n**/secret\n# comment\n",
        "a.log": "", "keep.log": "", "node_modules/x": "", "deep/secret": "", "deep/b.log": "",
    }  # fmt: skip
    made = build(tmp_path, "FROM scratch\nCOPY . /\n", files)
    assert set(made.contents) == {".dockerignore", "keep.log", "deep/b.log"}


def test_nothing_outside_of_the_context_is_copied(tmp_path):
    context = tmp_path / "context"
    context.mkdir()
    (tmp_path / "outside").write_text("secret")
    (context / "link").symlink_to(tmp_path / "outside")
    (context / "folder").symlink_to(tmp_path)
    for source in ("link", "folder/outside", "folder"):
        with pytest.raises(faults.Fault, match="not found"):
            build(tmp_path, f"FROM scratch\nCOPY {source} /x\n")
    made = build(tmp_path, "FROM scratch\nCOPY . /\n")
    assert made.contents == {}
    assert made.files["link"].issym()


def test_build_arguments(tmp_path):
    text = "ARG BASE=none\nFROM $BASE\nARG A\nARG B=two\nARG BASE\nLABEL x=$A-$B-$BASE-$C\n"
    made = build(tmp_path, text, arguments={"BASE": "nginx", "A": "one", "C": "three"})
    assert made.config["Labels"]["x"] == "one-two-nginx-"
    assert made.built.unused == ("C",)


WRONG = [
    ("FOO bar", "Dockerfile:1: dockerfile parse error on line 1: unknown instruction: FOO"),
    ("\n\nFORM x", "line 3: unknown instruction: FORM (did you mean FROM?)"),
    ("", "file with no instructions"),
    ("# only", "file with no instructions"),
    ("COPY a b", "no build stage in current context"),
    ("ARG X", "no build stage in current context"),
    ("FROM a b", "FROM requires either one or three arguments"),
    ("FROM", "FROM requires at least one argument"),
    ("FROM missing", "Dockerfile:1: FROM missing: docker.io/library/missing:latest: not found"),
    ("FROM scratch\nCOPY x", "COPY requires at least two arguments, but only one was provided"),
    (
        "FROM scratch\nCOPY x /y",
        'Dockerfile:2: COPY x /y: failed to calculate checksum of ref: "/x"',
    ),
    ("FROM scratch\nCOPY a b c", "the destination must be a directory and end with a /"),
    ("FROM scratch\nCOPY --foo=1 a b", "unknown flag: foo"),
    ("FROM scratch\nCOPY --chmod=9 a b", "invalid chmod parameter"),
    ("FROM scratch\nCOPY --chown=bob a b", "unable to find user bob: no matching entries"),
    ("FROM scratch\nCOPY <<E /x\nnever", "unterminated heredoc: E"),
    ("FROM scratch\nADD https://x/y /z", "is not built"),
    ("FROM scratch\nRUN make", "Dockerfile:2: RUN make: RUN is not built: nothing can be run"),
    ("FROM scratch\nONBUILD USER x", "ONBUILD is not built"),
    ("FROM scratch\nENV A", "ENV must have two arguments"),
    ("FROM scratch\nENV A=1 B", "Syntax error - can't find = in 'B'. Must be of the form"),
    ("FROM scratch\nEXPOSE x", "invalid containerPort: x"),
    ("FROM scratch\nSHELL x", "SHELL requires the arguments to be in JSON form"),
    ("FROM scratch\nLABEL a='b", "while looking for matching '-quote"),
    ("FROM scratch\nLABEL a=${b", "missing '}'"),
    ("FROM scratch\nHEALTHCHECK x", "Unknown type 'x' in HEALTHCHECK (try CMD)"),
    ("FROM scratch\nCOPY --from=nginx /etc/nginx /x", "is emulated: its files are made when"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_cannot_be_built_is_told_with_file_and_line(tmp_path, text, said):
    with pytest.raises(faults.Fault) as caught:
        build(tmp_path, text, {"a": "A", "b": "B"})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$A-${A}", "1-1"), ("${B:-x}", "x"), ("${E:-x}", "x"), ("${E-x}", ""), ("${A:+y}", "y"),
        ("${B:+y}", ""), ("\\$A", "$A"), ("'$A'", "$A"), ('"$A b"', "1 b"), ("${B:-${A}}", "1"),
        ("$", "$"), ("a\\ b", "a b"), ('"\\n"', "\\n"), ("$B", ""),
    ],
)  # fmt: skip
def test_variables(text, found):
    assert words.expanded(text, {"A": "1", "E": ""}) == found


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.text("FROMCPYENV $\\{}[]\"'<-=\n#ab/.", max_size=80))
def test_no_text_is_read_with_another_error_than_a_sentence(text):
    try:
        parsed = syntax.parse(f"FROM scratch\n{text}", "Dockerfile")
        for one in parsed.instructions:
            for word in words.split(one.rest):
                words.expanded(word, {"a": "b"})
    except (syntax.BuildError, ValueError) as error:
        assert str(error)  # noqa: PT017  (most texts raise nothing)


@given(st.text("./abc\0", max_size=30))
def test_no_path_of_a_layer_leads_out(name):
    path = rootfs.clean(name)
    assert path == "" or (path.startswith("/") and ".." not in path.split("/"))
    assert "\0" not in path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM nginx\n", (["/start"], ["-d"])),
        ('FROM nginx\nCMD ["-x"]\n', (["/start"], ["-x"])),
        ('FROM nginx\nENTRYPOINT ["/own"]\n', (["/own"], None)),
    ],
)
def test_what_is_built_upon_an_emulated_image_runs_what_that_runs(tmp_path, text, expected):
    config = build(tmp_path, text).config
    assert (config["Entrypoint"], config.get("Cmd")) == expected
    assert config["StopSignal"] == "SIGQUIT"
    assert "ORIGIN=yes" in config["Env"]
    assert any(one.startswith("PATH=") for one in config["Env"])
