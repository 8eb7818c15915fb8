"""The shell reader: what is the same command, and what is not."""

from __future__ import annotations

import random
import unittest
from collections.abc import Iterable

import diff_events as d
from tests.support import seeds

SAME = [
    ("ls  -l", "ls\t-l"),
    ("ls -l;", "ls -l"),
    ("ls -l ; ", "ls -l"),
    ("ls\n", "ls"),
    ("\n\nls\n\n", "ls"),
    ("a\nb", "a; b"),
    ("a\n\n b", "a\nb"),
    ("a;\nb", "a; b"),
    ("a |\n b", "a | b"),
    ("a\n| b", "a | b"),
    ("a &&\nb ||\nc", "a && b || c"),
    ("a \\\n b", "a b"),
    ("(\na\n)", "(a)"),
    ("{ a\n b\n}", "{ a; b; }"),
    ("a &\nb", "a & b"),
    ("if a\nthen b\nfi", "if a; then b; fi"),
    ("[[ -n $x &&\n $y ]]", "[[ -n $x && $y ]]"),
    ("case x in (a) b;; esac", "case x in (a)\n b\n;;\nesac"),
    ("f()\n{ a; }", "f() { a; }"),
    ("for ((i=0; i<3; i++)); do a; done", "for ((i=0;i<3; \\\n i++))\ndo a\ndone"),
    ("echo $((1 + 2))", "echo $((1+2))"),
    ("a\\\nb", "ab"),
    ("echo 'a b'", 'echo "a b"'),
    ("echo a\\ b", "echo 'a b'"),
    ("echo a'b'\"c\"", "echo abc"),
    ("echo \\$HOME", "echo '$HOME'"),
    ('echo "\\$HOME"', "echo '$HOME'"),
    ('echo "a\\\nb"', "echo ab"),
    ('echo "a\\qb"', "echo 'a\\qb'"),
    ("echo $'a\\tb\\x41\\u00e9\\101\\q\\''", "echo 'a\tbAéA\\q'\"'\""),
    ('echo $"hi"', "echo hi"),
    ("find . -exec rm {} \\;", "find . -exec rm '{}' ';'"),
    ("echo a#b # c", "echo a#b"),
    ("[ -f x ]", "'[' -f x ']'"),
    ("git show HEAD~1", "git show 'HEAD~1'"),
    ("echo $(ls  -l)", "echo $(ls -l;)"),
    ("a<b", "a < b"),
    ("cat <<EOF\nx\nEOF", "cat  << EOF\nx\nEOF\n"),
    ("cat <<EOF\nx\nEOF", "cat <<'EOF'\nx\nEOF"),
    ("cat <<-EOF\n\tx\n\tEOF", "cat <<-EOF\nx\nEOF"),
    ("cat <<EOF && ls\nx\nEOF\n", "cat <<EOF  &&  ls\nx\nEOF"),
    ("echo $((1+2))", "echo  $((1+2))"),
    ("echo $((1+$(ls)))", "echo $((1 + $(ls)))"),
    ("cat <<EOF\nEOF", "cat <<'EOF'\nEOF"),
    ("echo $", "echo '$'"),
    ("x=1 make", "x='1' make"),
    ("a\\", "a'\\'"),
    ("case x in a) echo $(case y in b) ls;; esac);; esac", "case x in a) echo $(case y in b)  ls;; esac);; esac"),
    ("(( i++ )) && ls", "(( i++ ))  &&  ls"),
    ("echo a\r\nls", "echo a\nls"),
]

DIFFERENT = [
    ("echo $((1+$(ls a)))", "echo $((1+$(lsa)))"),
    ("a | b", "a '|' b"),
    ("a && b", "a '&&' b"),
    ("a; b", "a ';' b"),
    ("a > b", "a '>' b"),
    ("a & b", "a; b"),
    ("a\nb", "a b"),
    ('echo "$A"', "echo '$A'"),
    ('echo "$A"', "echo $A"),
    ("ls *.py", "ls '*.py'"),
    ("ls a?", "ls a\\?"),
    ("ls [ab]", "ls '[ab]'"),
    ("ls ~/x", "ls '~/x'"),
    ("ls {a,b}", "ls '{a,b}'"),
    ("echo 2>f", "echo 2 >f"),
    ("echo ''", "echo"),
    ("echo 'a  b'", "echo 'a b'"),
    ("cat <<EOF\n$A\nEOF", "cat <<'EOF'\n$A\nEOF"),
    ("cat <<EOF\nx\nEOF", "cat <<EOF\ny\nEOF"),
    ("cat <<EOF\nx\nEOF", "cat <<-EOF\nx\nEOF"),
    ("echo `ls`", "echo '`ls`'"),
    ("echo $(ls)", "echo $(ls -l)"),
    ("x=1 make", "'x=1' make"),
    ("if a; then b; fi", "'if' a; then b; fi"),
    ("cat <(ls)", "cat <(ls -l)"),
    ("echo ${A:-x}", "echo ${A:-y}"),
    ("(a)", "a"),
    ("if a; then b; c; fi", "if a; b; then c; fi"),
    ("case x in a) b;; c) d;; esac", "case x in a) b; d;; c) esac"),
    ("case x in a) b;; c) d;; esac", "case x in a) b;& c) d;; esac"),
    ("case x in a) b;; esac", "case x in c) b;; esac"),
    ("[[ a && b ]]", "[[ a '&&' b ]]"),
    ("a=(1 2)", "a=; (1 2)"),
    ("f() { a; }", "f; { a; }"),
    ("f() { a; }", "g() { a; }"),
    ("for x in a; do b; done", "for x in c; do b; done"),
    ("for ((i=0; i<3; i++)); do b; done", "for ((i=0; i<4; i++)); do b; done"),
    ("a 2>&1 >f", "a >f 2>&1"),
    ("a >f b", "a b >f"),
    ("<f A=1 a", "A=1 <f a"),
    ("function f { a; }", "f() { a; }"),
    ("function f { a; }", "function f() { a; }"),
    ("case x in a) b;; esac", "case x in (a) b;; esac"),
    ("echo $((1+2))", "echo $((1+3))"),
]

NO_END = [
    "echo 'a",
    'echo "a',
    "echo $(ls",
    "echo `ls",
    "echo ${a",
    'echo "${a"',
    "cat <<E\n${a\nE",
    "echo $'a",
    "echo $((1+",
    "cat <<",
    "cat <<;",
    "(( a",
]

VOLATILE = [
    ("cat /tmp/tmp.aB3dE6gH9j", "cat /tmp/tmp.0123456789"),
    ("cat /tmp/tmp.aB3dE6gH9j/x", "cat /tmp/tmp.0123456789/x"),
    ("x --out=/tmp/tmp.aB3dE6gH9j", "x --out=/tmp/tmp.0123456789"),
    ("touch a-2026-04-27T12:00:00Z.log", "touch a-2025-01-02T03:04:05.678+02:00.log"),
    ("touch 20260427T120000Z", "touch 20250102T030405Z"),
    ("kill 12", "kill 345"),
    ("kill -9 12 13", "kill -9 1 2"),
    ("kill -s TERM 12", "kill -s TERM 13"),
    ("kill -- -12", "kill -- -13"),
    ("sudo kill 12", "sudo kill 13"),
    ("sudo -n kill 12", "sudo -n kill 13"),
    ("x && kill 12", "x && kill 13"),
    ("cat /proc/12/status", "cat /proc/345/status"),
    ("ls /proc/12", "ls /proc/345"),
    ("strace --pid 12", "strace --pid 13"),
    ("strace --pid=12", "strace --pid=13"),
    ("echo $(kill 12)", "echo $(kill 13)"),
    ("if kill 12; then x; fi", "if kill 13; then x; fi"),
    ("X=/tmp/tmp.aB3dE6gH9j x", "X=/tmp/tmp.0123456789 x"),
    ("x >/tmp/tmp.aB3dE6gH9j", "x >/tmp/tmp.0123456789"),
]

NOT_VOLATILE = [
    ("cat /tmp/tmp.aB3dE6gH9", "cat /tmp/tmp.012345678"),
    ("cat /srv/tmp.aB3dE6gH9j", "cat /srv/tmp.0123456789"),
    ("cat x/tmp/tmp.aB3dE6gH9j", "cat x/tmp/tmp.0123456789"),
    ("touch 2026-04-27", "touch 2026-04-28"),
    ("touch 2026-13-27T12:00:00Z", "touch 2026-13-28T12:00:00Z"),
    ("kill -9 12", "kill -15 12"),
    ("kill -s 9 12", "kill -s 15 12"),
    ("sleep 12", "sleep 13"),
    ("echo kill 12", "echo kill 13"),
    ("ls /proc/12a", "ls /proc/13a"),
    ("ls x/proc/12", "ls x/proc/13"),
    ("x --pids=12", "x --pids=13"),
    ("cat /tmp/tmp.aB3dE6gH9j", "cat /tmp/other"),
    ("kill 12", "kill %1"),
]


def comparable(command: str, *places: str) -> object:
    return d.comparable_tokens(d.shell_tokens(command), frozenset(places))


def words_of(tokens: Iterable[d.Word]) -> list[str]:
    return [d.word_text(word) for word in tokens]


class Commands(unittest.TestCase):
    def test_the_same(self) -> None:
        for left, right in SAME:
            with self.subTest(left=left, right=right):
                self.assertEqual(d.shell_tokens(left), d.shell_tokens(right))

    def test_different(self) -> None:
        for left, right in DIFFERENT:
            with self.subTest(left=left, right=right):
                self.assertNotEqual(d.shell_tokens(left), d.shell_tokens(right))

    def test_no_end(self) -> None:
        for command in NO_END:
            with self.subTest(command=command), self.assertRaises(d.ShellSyntaxError):
                d.shell_tokens(command)

    def test_the_tokens_before_the_place_are_kept(self) -> None:
        with self.assertRaises(d.ShellSyntaxError) as caught:
            d.shell_tokens("ls -l; echo 'a")
        self.assertEqual(words_of(caught.exception.tokens), ["ls", "-l", ";", "echo"])

    def test_what_looks_like_the_end_and_is_none(self) -> None:
        self.assertEqual(words_of(d.shell_tokens('a ${B:-"}"} c')), ["a", '${B:-"}"}', "c"])
        text = " ".join(words_of(d.shell_tokens("for time in a; do c; done")))
        self.assertEqual(text, "for time in a ; do c ; done")
        [_, (outer,)] = d.shell_tokens(r"echo `a \`b\``")
        self.assertEqual(words_of(outer.tokens), ["a", "$(…)"])

    def test_nesting_has_an_end(self) -> None:
        for opener in ("$(", "`", "${a:-", "$((", '"$(', "<("):
            with self.subTest(opener=opener), self.assertRaises(d.ShellSyntaxError):
                d.shell_tokens("echo " + opener * 5001)
        with self.assertRaises(d.ShellSyntaxError):
            d.shell_tokens("echo " + "$(" * 100 + "ls" + ")" * 100)
        with self.assertRaises(d.ShellSyntaxError):
            d.shell_tokens("echo " + "$((" * 100 + "1" + "))" * 100)

    def test_a_text_that_is_too_long_for_a_command(self) -> None:
        for text in ("a" * 2_000_000, "{ " * 400_000):
            with self.assertRaises(d.ShellLimitError):
                d.shell_tokens(text)

    def test_volatile(self) -> None:
        for left, right in VOLATILE:
            with self.subTest(left=left, right=right):
                self.assertEqual(comparable(left), comparable(right))

    def test_not_volatile(self) -> None:
        for left, right in NOT_VOLATILE:
            with self.subTest(left=left, right=right):
                self.assertNotEqual(comparable(left), comparable(right))

    def test_mktemp_in_its_directory(self) -> None:
        left, right = "cat build/tmp.aB3dE6gH9j", "cat build/tmp.0123456789"
        self.assertEqual(comparable(left, "build"), comparable(right, "build"))
        self.assertNotEqual(comparable(left), comparable(right))
        for inside in ("x $(%s)", "(%s)"):
            self.assertEqual(comparable(inside % left, "build"), comparable(inside % right, "build"))

    def test_any_text_is_commands_or_a_syntax_error(self) -> None:
        rng = random.Random(20)
        pieces = ["a", " ", "'", '"', "`", "$", "(", ")", "{", "}", "((", "))", "$(", "${", "$((", "\\", "\n", ";", "&"]
        pieces += [
            "|",
            "<",
            ">",
            "<<",
            "<<-",
            "EOF",
            "#",
            "*",
            "[",
            "]",
            "~",
            "!",
            "if",
            "case",
            "esac",
            "kill",
            "1",
            "\t",
            "é",
        ]
        for _ in seeds(2000):
            text = "".join(rng.choices(pieces, k=rng.randrange(1, 30)))
            try:
                commands = d.shell_tokens(text)
            except d.ShellSyntaxError:
                continue
            self.assertEqual(d.comparable_tokens(commands), comparable(text))


if __name__ == "__main__":
    unittest.main()
