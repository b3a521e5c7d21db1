"""The one tree of exceptions; every message names the remedy::

    QueueWorkerError
    ├── SettingsError              an environment variable is missing or malformed
    ├── EnvironmentInvalid         checks of the environment have failed
    ├── CheckFailed                one check of the environment has found something wrong
    ├── RegistryError              the registry cannot be loaded, or is empty
    ├── PluginError                what another package ships is not there, or broken
    ├── DefinitionError            a job was declared wrongly
    ├── UnknownJobError            no such job in the registry
    ├── UnknownRunError            no such run in the ledger and the queue
    ├── ArgumentsError             the arguments do not fit the job
    ├── EnqueueError               the database refused the job
    ├── AlertError                 a sink has not taken an alert
    │   ├── SinkRefused            it answered, but with a refusal of this message
    │   └── SinkDown               it did not answer, or takes nothing at the moment
    ├── OperationRefused           an operator asked for what would break a promise
    ├── RunError                   a run could not be carried out
    │   ├── JobPaused              an operator has paused the job or its queue
    │   ├── LockHeld               another run holds the lock key
    │   ├── ChildDied              the child process of a plain `def` job died
    │   └── JobFunctionError       what a job raised inside a child process
    ├── DatabaseError
    │   ├── DatabaseUnreachable    no connection could be made
    │   └── MigrationError
    │       ├── MigrationsPending  the database is older than the code
    │       ├── DatabaseNewer      the database is newer than the code
    │       ├── MigrationChanged   an applied file has other content now
    │       ├── MigrationFailed    a file raised; it was rolled back whole
    │       ├── SchemaRefused      a schema of ours can't be made in this database
    │       └── MigrationRefused   a newer procrastinate changes what our SQL rests on
    ├── RetentionError             retention refused, or could not end, its work
    │   ├── PolicyRefused          a policy is wrong, or about what is kept for ever
    │   ├── PlanRefused            a plan is unknown, too old, or of other policies
    │   ├── RetentionBusy          another retention is at work
    │   └── RetentionStopped       it removed less than it should; says why
    └── ContentError               the content pipeline refused a step
        └── GeneratorMissing       no content generator is configured

`exit_code` is what the command line exits with (sysexits.h where one fits).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class QueueWorkerError(Exception):
    """Base of every error that queue_worker raises on purpose."""

    exit_code = 1


class SettingsError(QueueWorkerError):
    """An environment variable is missing or malformed.

    Attributes:
        variable: the name of the environment variable.
    """

    exit_code = 78

    def __init__(self, variable: str, problem: str, remedy: str) -> None:
        self.variable = variable
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{variable} {problem}. {remedy}")


class CheckFailed(QueueWorkerError):  # noqa: N818  a past participle, as every outcome is
    """One check of the environment has found something wrong.

    Attributes:
        is_fatal: whether a process must not start; None leaves that to the check.
    """

    exit_code = 78

    def __init__(self, problem: str, remedy: str, *, is_fatal: bool | None = None) -> None:
        self.problem = problem
        self.remedy = remedy
        self.is_fatal = is_fatal
        super().__init__(f"{problem}. {remedy}")


class EnvironmentInvalid(QueueWorkerError):  # noqa: N818  a state, not a mishap
    """Checks of the environment have failed, as the scheduled validation found.

    Attributes:
        failed: the names of these checks.
    """

    exit_code = 78

    def __init__(self, failed: Mapping[str, str]) -> None:
        self.failed = tuple(failed)
        found = " ".join(f"{name}: {message}" for name, message in failed.items())
        super().__init__(f"{len(failed)} checks failed ({', '.join(failed)}). {found}")


class RegistryError(QueueWorkerError):
    """The registry cannot be loaded, or holds no job."""

    exit_code = 78

    def __init__(self, reference: str, problem: str, remedy: str) -> None:
        self.reference = reference
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"Registry {reference!r} {problem}. {remedy}")


class PluginError(QueueWorkerError):
    """What another package ships for us is not there, or is broken.

    Attributes:
        group: the group of entry points it was looked for in.
        plugin: the name that was asked for.
    """

    exit_code = 78

    def __init__(self, group: str, plugin: str, problem: str, remedy: str) -> None:
        self.group = group
        self.plugin = plugin
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"Plugin {plugin!r} ({group}) {problem}. {remedy}")


class DefinitionError(QueueWorkerError):
    """A job was declared wrongly.

    Attributes:
        job: the name the job was declared under.
        field: which part of the declaration is wrong.
    """

    exit_code = 78

    def __init__(self, job: str, field: str, problem: str, remedy: str) -> None:
        self.job = job
        self.field = field
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"Job {job!r}: {field} {problem}. {remedy}")


class UnknownJobError(QueueWorkerError):
    """No job of this name is in the registry."""

    exit_code = 64

    def __init__(self, job: str, known: Sequence[str], suggestion: str | None = None) -> None:
        self.job = job
        self.known = tuple(known)
        hint = f"Did you mean {suggestion!r}? " if suggestion else ""
        names = ", ".join(self.known) or "none"
        super().__init__(f"Unknown job {job!r}. {hint}Known jobs: {names}.")


class UnknownRunError(QueueWorkerError):
    """No run of this id is in the ledger, and none waits or runs.

    Attributes:
        run: what was asked for.
    """

    exit_code = 66

    def __init__(self, run: str, problem: str, remedy: str) -> None:
        self.run = run
        self.problem = problem
        super().__init__(f"Run {run!r} {problem}. {remedy}")


class ArgumentsError(QueueWorkerError):
    """The arguments do not fit the job; nothing was written.

    Attributes:
        job: the name of the job.
        problems: one line for each thing that is wrong; never the values themselves.
    """

    exit_code = 65

    def __init__(self, job: str, problems: Sequence[str], remedy: str) -> None:
        self.job = job
        self.problems = tuple(problems)
        super().__init__(f"Arguments of job {job!r} refused: {'; '.join(problems)}. {remedy}")


class EnqueueError(QueueWorkerError):
    """The job could not be written to the queue; nothing was enqueued."""

    exit_code = 65


class AlertError(QueueWorkerError):
    """A sink has not taken an alert; it is tried again later.

    Attributes:
        problem: what went wrong, without the address: it may hold a secret.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"The alert was not taken: {problem}. It is tried again later.")


class SinkRefused(AlertError):  # noqa: N818  a past participle, as every outcome is
    """The sink answered, but with a refusal of this message."""


class SinkDown(AlertError):  # noqa: N818  a state, not a mishap
    """The sink did not answer, or takes nothing at the moment: not worth a second message now."""


class OperationRefused(QueueWorkerError):  # noqa: N818  a past participle, as every outcome is
    """An operator asked for something that does not exist, or that would break a promise.

    Attributes:
        problem: what stands against it.
        remedy: what to do instead.
        is_passing: whether it may be possible later: 75 is the exit code then, and 65 otherwise.
    """

    def __init__(self, problem: str, remedy: str, *, is_passing: bool) -> None:
        self.problem = problem
        self.remedy = remedy
        self.is_passing = is_passing
        self.exit_code = 75 if is_passing else 65
        super().__init__(f"{problem}. {remedy}")


class RunError(QueueWorkerError):
    """A run could not be carried out."""


class JobPaused(RunError):  # noqa: N818  a past participle, as every outcome is
    """An operator has paused the job or its queue.

    Attributes:
        job: the name of the job.
        pause: who has paused it, and why.
    """

    exit_code = 75

    def __init__(self, job: str, pause: str) -> None:
        self.job = job
        self.pause = pause
        super().__init__(f"Job {job!r}: {pause}. Try again once it is resumed.")


class LockHeld(RunError):  # noqa: N818  a past participle, as every outcome is
    """Another run holds the lock key.

    Attributes:
        lock_key: the key that is held.
        holder: who holds it, as far as the database knows.
    """

    exit_code = 75

    def __init__(self, lock_key: str, holder: str) -> None:
        self.lock_key = lock_key
        self.holder = holder
        super().__init__(
            f"Lock key {lock_key!r} is held by {holder}. Try again once that run has ended."
        )


class ChildDied(RunError):  # noqa: N818  a past participle, as every outcome is
    """The child process of a plain `def` job died before it answered.

    Attributes:
        exit_status: the exit status; negative is the number of the signal.
    """

    def __init__(self, exit_status: int) -> None:
        self.exit_status = exit_status
        how = f"signal {-exit_status}" if exit_status < 0 else f"exit status {exit_status}"
        super().__init__(f"The child process died ({how}). See the worker's standard error.")


class JobFunctionError(RunError):
    """What a job raised inside its child process.

    Attributes:
        error_class: the qualified name of the class that was raised there.
        traceback_text: the traceback as text.
    """

    def __init__(self, error_class: str, message: str, traceback_text: str) -> None:
        self.error_class = error_class
        self.traceback_text = traceback_text
        super().__init__(message)


class DatabaseError(QueueWorkerError):
    """The database is not in the state that the code needs."""

    exit_code = 69


class DatabaseUnreachable(DatabaseError):  # noqa: N818  a state, not a mishap
    """No connection could be made. The DSN's password is never in the message."""

    def __init__(self, target: str, problem: str) -> None:
        self.target = target
        self.problem = problem
        super().__init__(
            f"No connection to {target}: {problem}. "
            "Check that the server runs and that DATABASE_URL points at it."
        )


class MigrationError(DatabaseError):
    """The migrations of the database and of the code do not agree."""

    exit_code = 78


class MigrationsPending(MigrationError):  # noqa: N818  a state, not a mishap
    """The database is older than the code.

    Attributes:
        pending: the names of the files that are not applied yet.
    """

    def __init__(self, pending: Sequence[str]) -> None:
        self.pending = tuple(pending)
        super().__init__(
            f"{len(self.pending)} migrations are not applied, the first is {self.pending[0]!r}. "
            "Run `queue-worker migrate`."
        )


class DatabaseNewer(MigrationError):  # noqa: N818  a state, not a mishap
    """The database is newer than the code: it has files that the code does not know."""

    def __init__(self, unknown: Sequence[str]) -> None:
        self.unknown = tuple(unknown)
        super().__init__(
            f"The database has {len(self.unknown)} migrations that this version does not know, "
            f"the first is {self.unknown[0]!r}. Install the version that applied them, or a newer."
        )


class MigrationChanged(MigrationError):  # noqa: N818  a past participle, as every outcome is
    """An applied file has other content now."""

    def __init__(self, name: str, applied: str, found: str) -> None:
        self.name = name
        self.applied = applied
        self.found = found
        super().__init__(
            f"Migration {name!r} was changed after it was applied "
            f"(checksum {applied[:12]} applied, {found[:12]} found). "
            "Restore the file, and put the change into a new migration."
        )


class MigrationFailed(MigrationError):  # noqa: N818  a past participle, as every outcome is
    """A file raised an error; it was rolled back whole and those before it stay applied."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(
            f"Migration {name!r} failed and was rolled back: {problem}. "
            "Remove the cause and run `queue-worker migrate` again."
        )


class SchemaRefused(MigrationError):  # noqa: N818  a past participle, as every outcome is
    """A schema of ours can't be made in this database; nothing was touched.

    Attributes:
        schema: its name.
    """

    def __init__(self, schema: str, problem: str, remedy: str) -> None:
        self.schema = schema
        super().__init__(f"Schema {schema!r} {problem}. {remedy}")


class MigrationRefused(MigrationError):  # noqa: N818  a past participle, as every outcome is
    """A migration of a newer procrastinate changes what our SQL rests on; it was rolled back.

    Attributes:
        name: the file.
        changes: what would be another.
    """

    def __init__(self, name: str, changes: Sequence[str], installed: str) -> None:
        self.name = name
        self.changes = tuple(changes)
        super().__init__(
            f"Migration {name!r} of procrastinate {installed} was rolled back, as queue_worker "
            f"could not work on: {'; '.join(changes)}. Install the procrastinate that this version "
            "of queue_worker was tested with (see requirements/run.txt), or a queue_worker that "
            "knows the newer one."
        )


class RetentionError(QueueWorkerError):
    """Retention refused its work, or could not end it."""


class PolicyRefused(RetentionError):  # noqa: N818  a past participle, as every outcome is
    """A retention policy is wrong, or about a table that is kept for ever.

    Attributes:
        policy: the name of the policy; None where only the database knows it.
    """

    exit_code = 78

    def __init__(self, policy: str | None, problem: str, remedy: str) -> None:
        self.policy = policy
        self.problem = problem
        self.remedy = remedy
        subject = "" if policy is None else f"Retention policy {policy!r} "
        super().__init__(f"{subject}{problem}. {remedy}")

    @classmethod
    def by_the_database(cls, problem: str | None, hint: str | None) -> PolicyRefused:
        """What the database has said against a policy."""
        return cls(None, problem or "The database refused a policy", hint or "Correct the policy.")


class PlanRefused(RetentionError):  # noqa: N818  a past participle, as every outcome is
    """A plan is unknown, too old, done already, or was made for other policies.

    Attributes:
        plan_id: its number.
    """

    exit_code = 65

    def __init__(self, plan_id: int, problem: str) -> None:
        self.plan_id = plan_id
        super().__init__(
            f"Plan {plan_id} {problem}. Make another with `queue-worker retention plan`."
        )


class RetentionBusy(RetentionError):  # noqa: N818  a state, not a mishap
    """Another retention is at work in this database."""

    exit_code = 75

    def __init__(self) -> None:
        super().__init__(
            "Another retention is at work in this database. Try again once it has ended."
        )


class RetentionStopped(RetentionError):  # noqa: N818  a past participle, as every outcome is
    """Not all was removed that is too old.

    Attributes:
        problems: what stood in the way: for each plan, by policy.
    """

    def __init__(self, problems: Mapping[int, Mapping[str, str]]) -> None:
        self.problems = {plan_id: dict(found) for plan_id, found in problems.items()}
        said = " ".join(
            f"Plan {plan_id} was not carried out in full: {_join(found)}. Look at it with "
            f"`queue-worker retention show {plan_id}`; if it is right, "
            f"`queue-worker retention apply {plan_id}`."
            for plan_id, found in self.problems.items()
        )
        super().__init__(said)


class ContentError(QueueWorkerError):
    """The content pipeline refused a step, or cannot carry it out."""

    exit_code = 65


class GeneratorMissing(ContentError):  # noqa: N818  a state, not a mishap
    """Contents wait to be regenerated, but no generator is configured."""

    exit_code = 78

    def __init__(self) -> None:
        super().__init__(
            "Contents wait to be regenerated, but no generator is configured. "
            "Set CONTENT_GENERATOR to one, such as myapp.writing:generate."
        )


def _join(problems: Mapping[str, str]) -> str:
    return "; ".join(f"{subject}: {problem}" for subject, problem in problems.items())
