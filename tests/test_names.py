"""Statuses by name, numbers in hexadecimal, and the calls that events belong to."""

import unittest
from typing import Any, ClassVar

from diff_events import Both, Event, Meaning, event_text, meaning_of, render_json, render_markdown, unsigned_32
from tests.small_logs import called, compare_lines, made, waited


def returned(name: str, value: Any, field: str = "return_value") -> Meaning | None:
    """What the result of a call means."""
    event = Event(2, "kernel.return", 6, 1, {"name": name, field: value})
    return meaning_of(event, f"payload.{field}", value)


def name_of(meaning: Meaning | None) -> str | None:
    """Its name, if it has one."""
    return meaning.name if meaning else None


class Statuses(unittest.TestCase):
    NOTED: ClassVar = {  # the statuses of the field notes
        0x40000000: "STATUS_OBJECT_NAME_EXISTS",
        0xC0000008: "STATUS_INVALID_HANDLE",
        0xC000000D: "STATUS_INVALID_PARAMETER",
        0xC000000F: "STATUS_NO_SUCH_FILE",
        0xC0000011: "STATUS_END_OF_FILE",
        0xC0000017: "STATUS_NO_MEMORY",
        0xC0000022: "STATUS_ACCESS_DENIED",
        0xC0000024: "STATUS_OBJECT_TYPE_MISMATCH",
        0xC0000033: "STATUS_OBJECT_NAME_INVALID",
        0xC0000035: "STATUS_OBJECT_NAME_COLLISION",
        0xC00000BA: "STATUS_FILE_IS_A_DIRECTORY",
        0x80000006: "STATUS_NO_MORE_FILES",
        0x103: "STATUS_PENDING",
    }

    def test_every_spelling_of_a_status(self) -> None:
        for code, name in self.NOTED.items():
            signed = code - (1 << 32) if code >> 31 else code
            for value in (code, signed, hex(code), f"0x{code:08X}", signed & 0xFFFFFFFFFFFFFFFF, float(code)):
                with self.subTest(name=name, value=value):
                    self.assertEqual(returned("NtCreateFile", value), Meaning(code, name))

    def test_what_ends_a_wait(self) -> None:
        names = {
            0: "STATUS_WAIT_0", 3: "STATUS_WAIT_3", 0x80: "STATUS_ABANDONED_WAIT_0", 0xBF: "STATUS_ABANDONED_WAIT_63",
            0xC0: "STATUS_USER_APC", 0x102: "STATUS_TIMEOUT", 0xC0000008: "STATUS_INVALID_HANDLE",
        }  # fmt: skip
        for code, name in names.items():
            end = Event(2, "wait.end", 6, 1, {"status": code})
            with self.subTest(name=name):
                self.assertEqual(name_of(meaning_of(end, "payload.status", code)), name)
                self.assertEqual(name_of(returned("KeWaitForSingleObject", code)), name)

    def test_numbers_that_are_no_statuses(self) -> None:
        for call, value in (
            ("KeSetEvent", 0),
            ("KeTlsGetValue", 0x102),
            ("MmAllocatePhysicalMemoryEx", 0x40000000),
            ("MmAllocatePhysicalMemoryEx", 0xC0010000),
            ("NtReadFile", "2170"),
            ("read", -1073741809),
            ("NtReadFile", True),
            ("NtReadFile", None),
            ("NtReadFile", 1 << 40),
        ):
            with self.subTest(call=call, value=value):
                self.assertIsNone(name_of(returned(call, value)))

    def test_an_error_is_named_whatever_call_returned_it(self) -> None:
        self.assertEqual(name_of(returned("KeReleaseMutant", 0xC0000046)), "STATUS_MUTANT_NOT_OWNED")
        self.assertEqual(name_of(returned("ObReferenceObjectByHandle", -0x3FFFFFF8)), "STATUS_INVALID_HANDLE")

    def test_a_status_within_an_out_value(self) -> None:
        event = Event(2, "kernel.return", 6, 1, {"name": "NtReadFile"})
        self.assertEqual(meaning_of(event, "payload.io_status_block.status", 0), Meaning(0, "STATUS_SUCCESS"))

    def test_other_numbers_keep_their_digits(self) -> None:
        self.assertIsNone(unsigned_32("0x" + "0" * 17))
        self.assertIsNone(unsigned_32(-(1 << 33)))


class Hexadecimal(unittest.TestCase):
    def test_numbers_that_are_read_in_hexadecimal(self) -> None:
        event = Event(2, "kernel.call", 6, 1, {"name": "NtCreateFile"})
        self.assertEqual(meaning_of(event, "payload.access", 0x80100080), Meaning(0x80100080))
        self.assertEqual(meaning_of(event, "payload.args[1]", 0xF8000004), Meaning(0xF8000004))
        for path, value in (("payload.length", 131072), ("payload.args[0]", 4096), ("payload.timeout_ns", 1 << 30)):
            self.assertIsNone(meaning_of(event, path, value))

    def test_the_line_of_an_event(self) -> None:
        event = Event(2, "kernel.return", 6, 1, {"name": "NtOpenFile", "return_value": -1073741809})
        text = "kernel.return NtOpenFile return_value=-1073741809 (0xC000000F STATUS_NO_SUCH_FILE)"
        self.assertEqual(event_text(event), text)
        fine = Event(2, "kernel.return", 6, 1, {"name": "NtOpenFile", "return_value": 0})
        self.assertEqual(event_text(fine), "kernel.return NtOpenFile return_value=0")


class Calls(unittest.TestCase):
    def test_the_call_that_a_return_belongs_to(self) -> None:
        inner = called(6, "NtClose", handle="0xF8000004")
        def outer(status: int) -> list[Any]:
            begin, end = called(6, "NtClose", status, handle="0xF8000008")
            return [*called(6, "NtYieldExecution"), begin, *inner, made(6, "1" * 16), end]
        report = compare_lines(outer(0), outer(0xC0000008))
        divergence = report.threads[0].divergence
        assert divergence is not None and divergence.calls.canary is not None
        self.assertEqual(divergence.calls.canary.payload["handle"], "0xF8000008")
        self.assertEqual(divergence.calls.canary.idx, 2)
        meanings = (Both(Meaning(0, "STATUS_SUCCESS"), Meaning(0xC0000008, "STATUS_INVALID_HANDLE")),)
        self.assertEqual(divergence.meanings, meanings)
        text = render_markdown(report)
        self.assertIn('It belongs to `kernel.call NtClose handle="0xF8000008"`', text)
        self.assertIn("| `0` STATUS_SUCCESS | `3221225480` 0xC0000008 STATUS_INVALID_HANDLE |", text)
        self.assertIn('"name": "STATUS_INVALID_HANDLE"', render_json(report))

    def test_what_a_thread_was_waiting_for_when_its_log_ended(self) -> None:
        canary = [*called(6, "NtYieldExecution"), *waited(6, "a" * 16), *called(6, "NtYieldExecution")]
        for end, has_wait in ((3, False), (4, True)):
            with self.subTest(end=end):
                report = compare_lines(canary, canary[:end])
                ending = report.threads[0].ending
                assert ending is not None and ending.call is not None
                self.assertEqual(ending.call.name, "NtWaitForSingleObjectEx")
                self.assertEqual(ending.wait is not None, has_wait)
                self.assertIn("ours ended inside `kernel.call NtWaitForSingleObjectEx`", render_markdown(report))

    def test_a_thread_that_ended_between_two_calls(self) -> None:
        canary = [*called(6, "NtYieldExecution"), *waited(6, "a" * 16)]
        ending = compare_lines(canary[:2], canary).threads[0].ending
        assert ending is not None
        self.assertIsNone(ending.call)
        self.assertIsNone(ending.wait)

    def test_a_log_without_returns_says_nothing_of_open_calls(self) -> None:
        canary = [called(6, name)[0] for name in ("NtOpenFile", "NtClose", "NtYieldExecution")]
        ending = compare_lines(canary, canary[:2]).threads[0].ending
        assert ending is not None
        self.assertIsNone(ending.call)


if __name__ == "__main__":
    unittest.main()
