"""One implementation from request to exit status: judged, written down and told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..errors import EnvironmentBrokenError, LooptckError, next_step
from ..report import junit
from ..report.summary import print_results, summary_line
from ..report.terminal import ProgressLine, print_error, terminal
from ..results import certificate
from ..results.output_folder import CERTIFICATE, JUNIT, RESULTS, OutputFolder
from ..results.results_file import Results, ResultsWriter
from ..results.verdicts import is_certified
from ..rules.catalogue import Catalogue
from ..running import runner_process as certifying
from ..running.messages import Explored, ImplementationFound, Judged, Message, Planned
from ..running.runner_process import RunRequest
from ..text import printable
from .descendants import Descendants
from .interruption import Interruption, Stopped
from .temporary_folder import own_temporary_folder


class Certification:
    """One implementation from request to exit status."""

    def __init__(
        self,
        request: RunRequest,
        folder: OutputFolder,
        catalogue: Catalogue,
        verbose: bool,
        interruption: Interruption,
    ) -> None:
        self._request = request
        self._catalogue = catalogue
        self._folder = folder
        self._verbose = verbose
        self._interruption = interruption
        self._out = terminal()
        self._err = terminal(stderr=True)
        self._results: Results | None = None
        self._explored: list[Explored] = []

    def status(self) -> int:
        try:
            return self._judge_and_conclude()
        except LooptckError as error:
            return print_error(self._err, error)
        except Stopped:
            if self._results is None:
                told = "looptck: stopped before anything was judged"
            else:
                told = f"looptck: stopped; what was judged so far is in {self._folder.path}"
            self._err.print(printable(told), soft_wrap=True)
            raise SystemExit(self._interruption.exit_status) from None

    def _judge_and_conclude(self) -> int:
        try:
            self._judge()
        except (LooptckError, Stopped):
            self._show()
            raise
        return self._conclude()

    def _judge(self) -> None:
        spec = printable(self._request.spec)
        with ProgressLine(self._err, spec) as meter, contextlib.ExitStack() as stack:
            writer: ResultsWriter | None = None
            for event in self._events(stack):
                if isinstance(event, ImplementationFound):
                    self._folder.clear()
                    digest = self._catalogue.digest()
                    header = printable(certifying.header(self._request, event, digest))
                    self._results = Results(header)
                    writer = ResultsWriter(self._folder.path / RESULTS)
                    stack.callback(self._finish, writer)
                    writer.write(header)
                elif isinstance(event, Planned):
                    meter.expect(event.total)
                elif isinstance(event, Judged) and self._results and writer:
                    self._results.judgements.append(event.judgement)
                    writer.write({"kind": "judgement", **event.judgement.as_data()})
                    meter.advance()
                elif isinstance(event, Explored):
                    self._explored.append(event)
            if self._results is not None:
                self._results.is_complete = True
        if writer is not None:
            writer.check()

    def _events(self, stack: contextlib.ExitStack) -> Iterator[Message]:
        """The messages of the runner; *stack* ends all that it started."""
        descendants = Descendants()
        stack.callback(descendants.close)
        stack.enter_context(own_temporary_folder())
        stack.callback(descendants.kill)
        events = certifying.events(self._request, self._catalogue)
        stack.callback(events.close)
        while True:
            try:
                event = self._interruption.allowed(lambda: next(events, None))
            except OSError as error:
                raise EnvironmentBrokenError(
                    f"the process that judges cannot be started or heard: "
                    f"{error.strerror or error}; {next_step(error)}"
                ) from error
            if event is None:
                return
            yield event

    def _finish(self, writer: ResultsWriter) -> None:
        assert self._results is not None
        writer.write(self._results.footer())
        writer.close()

    def _write(self, results: Results) -> LooptckError | None:
        """The certificate and its like are written; or the error that prevented it."""
        try:
            made = certificate.certificate_of(results, self._catalogue)
            self._folder.write(CERTIFICATE, certificate.text_of(made))
            self._folder.write(JUNIT, junit.junit(results, self._catalogue))
        except LooptckError as error:
            return error
        return None

    def _show(self) -> None:
        results = self._results
        if results is not None and results.judgements:
            self._interruption.allowed(
                lambda: print_results(self._out, results, self._catalogue, verbose=self._verbose)
            )

    def _conclude(self) -> int:
        results = self._results
        if results is None or not results.judgements:
            raise LooptckError(f"{self._request.spec}: no rule was judged; please report this")
        unwritten = self._write(results)
        self._show()
        if unwritten is not None:
            raise unwritten
        self._out.print(summary_line(results, self._catalogue), style="bold")
        path = printable(str(self._folder.path / CERTIFICATE))
        self._out.print(f"  {path}", soft_wrap=True)
        for event in self._explored:
            self._out.print(event.text(), soft_wrap=True)
        differs = any(event.result.difference for event in self._explored)
        return 0 if is_certified(self._catalogue, results.judgements) and not differs else 1
