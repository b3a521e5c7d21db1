"""Text that would do harm wherever it were taken for SQL, a format or a name."""

from __future__ import annotations

from hypothesis import strategies as st

PAYLOADS = [
    "'; DROP TABLE queue_worker.run CASCADE; --",
    '"; DROP SCHEMA queue_worker CASCADE; --',
    "x' OR '1'='1",
    "$$; DELETE FROM procrastinate_jobs; $$",
    "\\'; TRUNCATE procrastinate_jobs; --",
    "%s %(x)s %% {0} {x!r}",
    "queue_worker.run; SELECT pg_sleep(60)",
    "a\0b",
    "\ud800",
    "\N{RIGHT-TO-LEFT OVERRIDE}\x1b[2J\r\n",
    "--",
    "/* ",
    "",
]
hostile_text = st.one_of(
    st.sampled_from(PAYLOADS),
    st.text(alphabet=st.sampled_from("'\"\\;$%-/*(){}[]:, \n\0aé漢\U0001f600"), max_size=40),
    st.text(max_size=40),
    st.builds("{}{}".format, st.text(max_size=8), st.sampled_from(PAYLOADS)),
)
