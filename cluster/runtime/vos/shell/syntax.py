"""What a shell script is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Text:
    """Letters as they are. Quoted ones are no patterns and are not split."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$NAME`, `${NAME}`, and with an operation `${NAME:-WORD}`, `${NAME%WORD}`, `${#NAME}`.

    `index` is that of an array's element, `@` and `*` for all; `second` the replacement of
    `${NAME/WORD/SECOND}` and the length of `${NAME:WORD:SECOND}`.
    """

    name: str
    operation: str = ""
    word: "Word | None" = None
    quoted: bool = False
    index: "Word | None" = None
    second: "Word | None" = None


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(…)`: what a script prints."""

    body: "Sequence_"
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`$((…))`."""

    word: "Word"
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """bash's `<(…)` and `>(…)`: a file that a script has written, or will read."""

    body: "Sequence_"
    writes: bool = False


Part = Text | Parameter | Substitution | Arithmetic | Passed


@dataclass(frozen=True, slots=True)
class Word:
    """Parts that stand together."""

    parts: tuple[Part, ...] = ()

    @property
    def literal(self) -> str | None:
        """Its text, where nothing in it is to be expanded."""
        if all(isinstance(part, Text) for part in self.parts):
            return "".join(part.text for part in self.parts if isinstance(part, Text))
        return None


@dataclass(frozen=True, slots=True)
class Assignment:
    """`NAME=WORD`, in bash also `NAME[INDEX]=WORD`, `NAME+=WORD` and `NAME=(ITEMS)`."""

    name: str
    word: Word = Word()
    index: Word | None = None
    items: "Sequence[tuple[Word | None, Word]] | None" = None
    append: bool = False


@dataclass(slots=True)
class Redirect:
    """`2>FILE`: operators `<`, `>`, `>>`, `>|`, `>&`, `<&`, `<<` (the word is the text then), in
    bash `<<<`; `&>` and `&>>` are two of them.
    """

    descriptor: int
    operator: str
    word: Word


@dataclass(slots=True)
class Simple:
    """`A=1 program words >file`; `declared` are assignments behind `export`, `local` and so on."""

    assignments: Sequence[Assignment] = ()
    words: Sequence[Word] = ()
    redirects: Sequence[Redirect] = ()
    declared: Sequence[Assignment] = ()


@dataclass(slots=True)
class Pipeline:
    """`a | b`; `! a`."""

    commands: "Sequence[Command]"
    negated: bool = False


@dataclass(slots=True)
class AndOr:
    """`a && b || c`: pairs of what joins a pipeline to those before it, and the pipeline."""

    steps: Sequence[tuple[str, Pipeline]]
    background: bool = False


@dataclass(slots=True)
class Sequence_:
    """Commands one after another."""

    items: Sequence[AndOr] = ()


@dataclass(slots=True)
class If:
    """Branches of a condition and a body each, and what else."""

    branches: Sequence[tuple[Sequence_, Sequence_]]
    otherwise: Sequence_ | None = None


@dataclass(slots=True)
class Loop:
    """`while`; `until`."""

    condition: Sequence_
    body: Sequence_
    until: bool = False


@dataclass(slots=True)
class For:
    """`for NAME in WORDS`; None stands for the positional parameters."""

    name: str
    words: Sequence[Word] | None
    body: Sequence_


@dataclass(slots=True)
class Count:
    """bash's `for ((start; condition; step))`."""

    start: Word
    condition: Word
    step: Word
    body: Sequence_


@dataclass(frozen=True, slots=True)
class Test:
    """What `[[` asks: `&&`, `||` and `!` of tests, or an operator of `test`, or `=~`, of words."""

    operator: str
    operands: "Sequence[Test | Word]"


@dataclass(slots=True)
class Conditional:
    """`[[ … ]]`."""

    test: Test


@dataclass(slots=True)
class Calculation:
    """bash's `(( … ))`."""

    word: Word


@dataclass(slots=True)
class Case:
    """`case WORD in PATTERNS) body;; esac`; each branch with what ends it, in bash also `;&` (the
    next body, too) and `;;&` (the next that fits, too).
    """

    word: Word
    branches: Sequence[tuple[Sequence[Word], Sequence_, str]]


@dataclass(slots=True)
class Select:
    """bash's `select NAME in WORDS`; None stands for the positional parameters."""

    name: str
    words: Sequence[Word] | None
    body: Sequence_


@dataclass(slots=True)
class Block:
    """`{ …; }`, or in a subshell `( … )`."""

    body: Sequence_
    subshell: bool = False


@dataclass(slots=True)
class Function:
    """`name() command`."""

    name: str
    body: "Command"


@dataclass(slots=True)
class Redirected:
    """A compound command with redirections."""

    command: "Command"
    redirects: Sequence[Redirect] = field(default_factory=list)


Command = (
    Simple | If | Loop | For | Count | Case | Select | Conditional | Calculation | Block | Function
    | Redirected
)  # fmt: skip
