"""The checks that documents share: each is a test without a rule, written over a few verbs.

A profile binds checks to its rules by a table (`Profile.checks`) and gives the
verbs in which they are written (`Profile.verbs`).  No check knows a document.

    def test_a_watch_that_ended_is_not_called(loop: Watching, channels: Channels) -> None:
        near, far = channels.pair()
        calls = loop.calls("reader")

        def script() -> Script:
            watch = loop.watch(near.fileno(), "r", calls)
            far.send(b"x")
            yield until("the reader is called", lambda: calls.count)
            loop.unwatch(watch)
            calls.clear()
            yield turns()
            assert calls.count == 0, f"an ended watch was called {calls.count} times"

        loop.play(script())

A check may ask for any fixture of the suite, and have parameters.
"""
